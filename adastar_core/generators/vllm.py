"""The generator on vLLM: an engine in a process of its own that outlives the iterations of a run.

After each iteration the engine takes the new checkpoint's weights without a restart, and then has to prove them: the
log-probabilities of a few fixed tokens must be those that were recorded when the checkpoint was saved (:mod:`canary`). An engine
that fails in that, or in anything, is built anew once; if the new one fails as well, so does the stage.

Noise comes from the same streams as with transformers (:mod:`vllm_noise`), so both sample the same rationales but for rounding.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from adastar_core.errors import ConfigError, DataError, EngineError, OutOfMemory
from adastar_core.generators import Decoding
from adastar_core.generators.endings import Ending, end_elsewhere
from adastar_core.generators.settings import GeneratorSettings
from adastar_core.generators.vllm_processes import Engines, Order
from adastar_core.machine.child import ChildFailure
from adastar_core.models.canary import Canary, canary_at, disagreement
from adastar_core.models.source import positions_of
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.records import Attempt, GenerationRequest, Incident

Report = Callable[[Incident], None]


class VllmGenerator:
    """Samples attempts from one checkpoint after the other: a :class:`~adastar_core.generators.LastingGenerator`.

    Nothing is started before the first checkpoint is handed over.

    Args:
        settings: The engine's settings.
        log: File for what the engine prints.
        threads: Threads of the engine on a CPU; ``None`` leaves that to vLLM's libraries.
        report: Told of everything that went wrong and was mended.
    """

    def __init__(
        self,
        settings: GeneratorSettings,
        log: Path,
        threads: int | None = None,
        report: Report = lambda _: None,
    ) -> None:
        self._settings, self._log, self._report = settings, log, report
        self._engines = Engines(settings, log, threads)
        self._held: tuple[Path, str, Canary] | None = None
        self._resting = False

    @property
    def weights_sha256(self) -> str | None:
        """Return the digest of the checkpoint whose weights the engine has proved to hold."""
        return None if self._held is None else self._held[1]

    @property
    def pids(self) -> list[int]:
        """Return the process ids of the engines that are running."""
        return self._engines.pids

    def hand_over(self, model_dir: Path, sha256: str) -> None:
        """Make the engine generate from another checkpoint of the same architecture, and prove that it does.

        Args:
            model_dir: The checkpoint, whose files have been found to be the recorded ones.
            sha256: Its digest.

        Raises:
            EngineError: A new engine does not prove the checkpoint's weights either, or cannot be started.
        """
        expected = canary_at(model_dir)
        before = self._held[2] if self._held else None
        self._held = None
        if self._engines:
            reason = self._try_to_load(model_dir, expected, before)
            if reason is None:
                self._hold(model_dir, sha256, expected)
                return
            self._report(Incident("engine rebuilt", f"after the hand-over of {model_dir.name}, {reason}"))
        self._engines.start(model_dir)
        self._resting = False
        reason = self._proof(expected, None)
        if reason is not None:
            self.close()
            raise EngineError(
                f"vLLM does not hold the weights of {model_dir}: {reason}. A newly started engine was asked, so its files and "
                f"what vLLM makes of them differ; set generator.type: transformers, and look into {self._log}."
            )
        self._hold(model_dir, sha256, expected)

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:
        """Return one attempt per request, in order; each engine gets every n-th.

        Raises:
            DataError: A prompt has no tokens.
            ConfigError: Prompt and longest rationale together exceed what the engine can hold.
            OutOfMemory: The batch did not fit; the engine has been built anew.
            EngineError: The engine failed twice.
        """
        if not requests:
            return []
        held = self._awake()
        try:
            answers = self._generate(requests, decoding)
        except ChildFailure as failure:
            self._rebuild(held, f"while generating, {failure}")
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
            self._sleep()
        elif how != "keep":
            self._engines.end_and_await_memory()

    def close(self) -> None:
        """End the engine's processes."""
        self._held = None
        self._engines.end()

    def _hold(self, model_dir: Path, sha256: str, canary: Canary) -> None:
        self._held = (model_dir, sha256, canary)
        self._vocabulary, self._positions = Vocabulary(model_dir), positions_of(model_dir)

    def _awake(self) -> tuple[Path, str, Canary]:
        """Return what is held, in an engine that runs: one that rested for training is woken first."""
        if self._held is None:
            raise ValueError("the generator holds no checkpoint; hand one over first")
        held = self._held
        if self._resting or not self._engines:
            self.hand_over(held[0], held[1])
        return held

    def _rebuild(self, held: tuple[Path, str, Canary], reason: str) -> None:
        self._report(Incident("engine rebuilt", reason))
        self._engines.end()
        self.hand_over(held[0], held[1])

    def _try_to_load(self, model_dir: Path, expected: Canary, before: Canary | None) -> str | None:
        """Return why the running engine does not hold the checkpoint now; ``None`` if it has proved it."""
        order: Order = {"do": "wake" if self._resting else "load", "model": str(model_dir)}
        try:
            self._engines.each(order)
            self._resting = False
            return self._proof(expected, before)
        except ChildFailure as failure:
            return str(failure)

    def _proof(self, expected: Canary, before: Canary | None) -> str | None:
        question = expected.question
        order: Order = {"do": "canary", "tokens": question.tokens, "contexts": question.contexts}
        for answer in self._engines.each(order):
            asked = len(answer["logprobs"])  # an engine may hold shorter texts than the model
            wanted = Canary(question, expected.logprobs[:asked], expected.dtype)
            old = before and Canary(question, before.logprobs[:asked], before.dtype)
            if reason := disagreement(wanted, tuple(answer["logprobs"]), self._engines.traits["dtype"], old):
                return reason
        return None

    def _generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[dict[str, Any]]:
        """Return every engine's answer; the requests are dealt to them in turn."""
        orders: list[Order] = []
        prompts = self._vocabulary.prompt_ids([one.prompt for one in requests])
        rooms = [decoding.room(len(prompt), self._positions) for prompt in prompts]
        for number in range(len(self._engines)):
            mine = requests[number :: len(self._engines)]
            orders.append(
                {
                    "do": "generate",
                    "prompts": prompts[number :: len(self._engines)],
                    "streams": [None if decoding.greedy else one.stream for one in mine],
                    "sampling": [decoding.temperature, decoding.top_p],
                    "max_new_tokens": rooms[number :: len(self._engines)],
                    "stop": list(decoding.stop),
                    "stop_tokens": self._vocabulary.stops,
                }
            )
        return self._engines.all(orders, self._settings.vllm.timeout_seconds, skip_empty="prompts")

    def _attempts(
        self, requests: Sequence[GenerationRequest], decoding: Decoding, answers: list[dict[str, Any]]
    ) -> list[Attempt]:
        attempts: list[Attempt | None] = [None] * len(requests)
        for number, answer in enumerate(answers):
            places = range(number, len(requests), len(self._engines))
            if answer["tokens"] is None:
                self._refuse([requests[place] for place in places], answer["prompt_tokens"], decoding)
            for place, length, tokens in zip(places, answer["prompt_tokens"], answer["tokens"], strict=True):
                ending = self._end_of(tokens, length, decoding)
                attempts[place] = ending.attempt(requests[place], decoding, length)
        return [attempt for attempt in attempts if attempt is not None]

    def _end_of(self, tokens: list[int], prompt_tokens: int, decoding: Decoding) -> Ending:
        known, room = self._vocabulary, decoding.room(prompt_tokens, self._positions)
        return end_elsewhere(tokens, known.ends, decoding.stop, known.decode, longest=room)

    def _refuse(
        self, requests: Sequence[GenerationRequest], lengths: Sequence[int], decoding: Decoding
    ) -> None:
        """Say which prompt is empty or too long for the engine."""
        for request, length in zip(requests, lengths, strict=True):
            if not length:
                raise DataError(f"the prompt of observation {request.position} is empty; give it a question")
        request, length = max(zip(requests, lengths, strict=True), key=lambda one: one[1])
        raise ConfigError(
            f"the prompt of observation {request.position} has {length} tokens, and up to {decoding.max_new_tokens} may follow "
            f"(generator.max_new_tokens), but the engine holds texts of {self._engines.traits['longest_text']} tokens at most; "
            "lower generator.max_new_tokens, shorten the prompt, or give it more memory (generator.vllm.kv_cache_gib)"
        )

    def _sleep(self) -> None:
        try:
            order: Order = {"do": "sleep"}
            self._engines.each(order)
            self._resting = True
        except ChildFailure as failure:
            self._report(Incident("engine rebuilt", f"it did not go to sleep: {failure}"))
            self._engines.end()
