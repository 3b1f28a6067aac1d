"""Where a response has finished declaring its answer: generation can end there, whatever the model would go on to say.

That is the first end of a line by which the verifier reads one answer, by its own rules: nothing is denied, contradicted or
left open up to there, and on the line itself nothing follows that speaks. What a model would say on later lines is never
generated, so a retraction there cannot be heard.
"""

from collections.abc import Callable, Mapping

from adastar_core.verifiers import number, yes_no

KINDS: Mapping[str, Callable[[str], bool]] = {"number": number.declares, "yes_no": yes_no.declares}
"""By the verifier's name, whether a text declares an answer that can be read. The other verifiers read an answer by its question."""
_MARKS = ("####", "nswer", "NSWER", "box")


def finished(text: str, kind: str) -> int | None:
    """Return where a text that is still being generated has finished declaring; ``None`` if it has not.

    More text changes nothing about a place that was found.
    """
    declares, start = KINDS[kind], 0
    while (end := text.find("\n", start)) >= 0:
        if any(mark in text[start:end] for mark in _MARKS) and declares(text[:end]):
            return end
        start = end + 1
    return None
