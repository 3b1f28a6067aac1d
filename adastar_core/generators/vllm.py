"""The generator on vLLM: an engine in its own process that outlives the iterations of a run.

After each iteration the engine loads the new checkpoint's weights without a restart, and then has to prove them: the
log-probabilities of a few fixed tokens must equal those recorded when the checkpoint was saved (``models/canary.py``). An
engine that fails, in this or in anything else, is rebuilt once; if the new one fails too, so does the stage.

Noise comes from the same streams as with transformers (:mod:`vllm_noise`): up to rounding, both sample the same rationales.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adastar_core.errors import ConfigError, DataError, EngineError, OutOfMemory
from adastar_core.generators import Decoding, OnIncident
from adastar_core.generators.endings import end_elsewhere
from adastar_core.generators.settings import GeneratorSettings
from adastar_core.generators.vllm_processes import EngineProcesses, Order
from adastar_core.machine.child import ChildFailure
from adastar_core.models.canary import Canary, canary_at, disagreement
from adastar_core.models.source import positions_of
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.records import Attempt, GenerationRequest, Incident


class VllmGenerator:
    """Samples attempts from one checkpoint after the other: a :class:`~adastar_core.generators.LastingGenerator`.

    Nothing is started before the first checkpoint is handed over. The engine prints to the file ``log``.
    """

    def __init__(
        self,
        settings: GeneratorSettings,
        log: Path,
        threads: int | None = None,
        report: OnIncident = lambda _: None,
    ) -> None:
        self._settings, self._log, self._report = settings, log, report
        self._engines = EngineProcesses(settings, log, threads)
        self._held: tuple[Path, str, Canary] | None = None
        self._resting = False

    @property
    def weights_sha256(self) -> str | None:
        return None if self._held is None else self._held[1]

    @property
    def pids(self) -> list[int]:
        return self._engines.pids

    def hand_over(self, model_dir: Path, sha256: str) -> None:
        """Load another checkpoint of the same architecture, whose files were verified, and prove that the engine holds it.

        Raises:
            EngineError: A new engine does not prove the weights either, or cannot be started.
        """
        expected = canary_at(model_dir)
        before = self._held[2] if self._held else None
        self._held = None
        fault = self._load(model_dir, expected, before) if self._engines else None
        if fault is not None:
            self._report(Incident("engine rebuilt", f"after the hand-over of {model_dir.name}, {fault}"))
        if fault is not None or not self._engines:
            self._engines.start(model_dir)
            self._resting = False
            if fault := self._fault(expected, None):
                self.close()
                raise EngineError(
                    f"vLLM does not hold the weights of {model_dir}: {fault}. A new engine gave this answer, so vLLM reads these "
                    f"files differently. Set generator.type: transformers; the engine's log is {self._log}."
                )
        self._held = (model_dir, sha256, expected)
        self._vocabulary, self._positions = Vocabulary.of(model_dir), positions_of(model_dir)

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:
        """Return one attempt per request, in order; each engine gets every n-th.

        Raises:
            DataError: A prompt has no tokens.
            ConfigError: Prompt and longest rationale together exceed what the engine can hold.
            OutOfMemory: The batch did not fit; the engine has been rebuilt.
            EngineError: The engine failed twice.
        """
        if not requests:
            return []
        if self._held is None:
            raise ValueError("the generator holds no checkpoint; hand one over first")
        model_dir, sha256, _ = self._held
        if self._resting or not self._engines:  # it gave its memory to training
            self.hand_over(model_dir, sha256)
        try:
            answers = self._generate(requests, decoding)
        except ChildFailure as failure:
            self._report(Incident("engine rebuilt", f"while generating, {failure}"))
            self._engines.end()
            self.hand_over(model_dir, sha256)
            if failure.memory:
                raise OutOfMemory(str(failure)) from failure
            try:
                answers = self._generate(requests, decoding)
            except ChildFailure as again:
                self.close()
                raise EngineError(
                    f"vLLM failed twice on the same {len(requests)} requests: {again}. Look into {self._log}, "
                    "or set generator.type: transformers."
                ) from again
        return self._attempts(requests, decoding, answers)

    def rest(self) -> None:
        """Give the device's memory to training, as ``generator.vllm.while_training`` says.

        Raises:
            EngineError: The memory did not become free.
        """
        if not self._engines or self._resting:
            return
        how, traits = self._settings.vllm.while_training, self._engines.traits
        if how == "auto":
            how = "keep" if traits["platform"] == "cpu" else "sleep" if traits["sleeps"] else "end"
        if how == "sleep" and traits["sleeps"]:
            try:
                self._engines.each({"do": "sleep"})
                self._resting = True
            except ChildFailure as failure:
                self._report(Incident("engine rebuilt", f"it did not go to sleep: {failure}"))
                self._engines.end()
        elif how != "keep":
            self._engines.end_and_await_memory()

    def close(self) -> None:
        self._held = None
        self._engines.end()

    def _load(self, model_dir: Path, expected: Canary, before: Canary | None) -> str | None:
        """Load a checkpoint into the running engine; return why it does not hold it now, ``None`` if it has proved it."""
        order: Order = {"do": "wake" if self._resting else "load", "model": str(model_dir)}
        try:
            self._engines.each(order)
            self._resting = False
            return self._fault(expected, before)
        except ChildFailure as failure:
            return str(failure)

    def _fault(self, expected: Canary, before: Canary | None) -> str | None:
        """Return why any engine's log-probabilities are not the checkpoint's; ``None`` if all are."""
        question = expected.question
        order: Order = {"do": "canary", "tokens": question.tokens, "contexts": question.contexts}
        for answer in self._engines.each(order):
            known = len(answer["logprobs"])  # an engine may hold shorter texts than the model
            wanted = Canary(question, expected.logprobs[:known], expected.dtype)
            old = before and Canary(question, before.logprobs[:known], before.dtype)
            if fault := disagreement(wanted, tuple(answer["logprobs"]), self._engines.traits["dtype"], old):
                return fault
        return None

    def _generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[dict[str, Any]]:
        """Return every engine's answer; engine n of k gets requests n, n + k, ..."""
        prompts = self._vocabulary.prompt_ids([request.prompt for request in requests])
        rooms = [decoding.room(len(prompt), self._positions) for prompt in prompts]
        streams = [None if decoding.greedy else request.stream for request in requests]
        count = len(self._engines)
        orders: list[Order] = [
            {
                "do": "generate",
                "prompts": prompts[number::count],
                "streams": streams[number::count],
                "sampling": [decoding.temperature, decoding.top_p],
                "max_new_tokens": rooms[number::count],
                "stop": list(decoding.stop),
                "stop_tokens": self._vocabulary.stops,
            }
            for number in range(count)
        ]
        return self._engines.all(orders, self._settings.vllm.timeout_seconds, skip_empty="prompts")

    def _attempts(
        self, requests: Sequence[GenerationRequest], decoding: Decoding, answers: list[dict[str, Any]]
    ) -> list[Attempt]:
        known, attempts = self._vocabulary, dict[int, Attempt]()
        for number, answer in enumerate(answers):
            places = range(number, len(requests), len(self._engines))
            if answer["tokens"] is None:
                self._refuse([requests[place] for place in places], answer["prompt_tokens"], decoding)
            for place, length, tokens in zip(places, answer["prompt_tokens"], answer["tokens"], strict=True):
                room = decoding.room(length, self._positions)
                ending = end_elsewhere(tokens, known.ends, decoding, known.decode, longest=room)
                attempts[place] = ending.attempt(requests[place], decoding, length)
        return [attempts[place] for place in range(len(requests))]

    def _refuse(
        self, requests: Sequence[GenerationRequest], lengths: Sequence[int], decoding: Decoding
    ) -> None:
        """Say which prompt is empty or too long for the engine."""
        for request, length in zip(requests, lengths, strict=True):
            if not length:
                raise DataError(f"the prompt of observation {request.position} is empty; give it a question")
        request, length = max(zip(requests, lengths, strict=True), key=lambda pair: pair[1])
        raise ConfigError(
            f"the prompt of observation {request.position} has {length} tokens, and up to {decoding.max_new_tokens} may follow "
            f"(generator.max_new_tokens), but the engine holds texts of {self._engines.traits['longest_text']} tokens at most; "
            "lower generator.max_new_tokens, shorten the prompt, or give it more memory (generator.vllm.kv_cache_gib)"
        )
