"""Generates a batch that does not fit into memory in two halves; if a half does not fit either, that is an error."""

from collections.abc import Sequence

from adastar_core.errors import OutOfMemory
from adastar_core.generators import Decoding, Generator, OnIncident
from adastar_core.records import Attempt, GenerationRequest, Incident


class Halving:
    """A :class:`~adastar_core.generators.Generator` that calls another one, and reports each batch that it halved."""

    def __init__(self, inner: Generator, report: OnIncident) -> None:
        self._inner, self._report = inner, report

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:
        """Return one attempt per request, in order.

        Raises:
            OutOfMemory: Half the batch does not fit either.
        """
        try:
            return self._inner.generate(requests, decoding)
        except OutOfMemory as error:
            detail = f"a batch of {len(requests)} was generated in halves, which may change rounding: {error}"
            self._report(Incident("out of memory", detail))
        half = max(len(requests) // 2, 1)
        try:
            return [
                attempt
                for part in (requests[:half], requests[half:])
                if part
                for attempt in self._inner.generate(part, decoding)
            ]
        except OutOfMemory as error:
            raise OutOfMemory(
                f"Memory ran out while generating {len(requests)} attempts at once, and {half} did not fit either ({error}). "
                "Lower generator.batch_size or generator.max_new_tokens; on a GPU, check what else uses its memory."
            ) from error

    def close(self) -> None:
        self._inner.close()
