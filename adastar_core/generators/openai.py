"""The generator on a server: any that speaks OpenAI's completions interface (vLLM's ``serve``, SGLang, ...), by its URL.

The server may change without notice, so it is asked for its canary (``models/canary.py``) before the first batch and after
every batch; what other weights generated is refused. A vLLM started with this project's two plug-ins
(``generator.openai.plugins``) also loads each new checkpoint and samples from this project's random streams. Any other server
samples from the seed that it is given, and its owner must load the new checkpoint.
"""

import os
import random
import ssl
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from adastar_core.errors import ConfigError, DataError, EngineError
from adastar_core.generators import Decoding
from adastar_core.generators.endings import Ending, end_elsewhere
from adastar_core.generators.settings import GeneratorSettings
from adastar_core.machine.servers import check_server
from adastar_core.models.canary import Canary, canary_at, disagreement
from adastar_core.models.source import positions_of
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.records import Attempt, FinishReason, GenerationRequest

_BUSY = (408, 425, 429, 500, 502, 503, 504)
_LONGEST_WAIT_SECONDS = 60.0
_SEEDS = 1 << 63


class _RefusedError(EngineError):
    """The server answers, and refuses the request."""


class OpenAiGenerator:
    """Samples attempts from a server: a :class:`~adastar_core.generators.LastingGenerator`.

    Raises:
        ConfigError: The server may not be sent the key, see :mod:`adastar_core.machine.servers`.
    """

    def __init__(self, settings: GeneratorSettings) -> None:
        self._server = settings.openai
        # The server's number format is not known: only a configured float32 asks for the narrow comparison.
        self._dtype = settings.dtype if settings.dtype == "float32" else "bfloat16"
        self._url = self._server.url.rstrip("/")
        check_server(self._server.url, self._server.key_variable)
        key = os.environ.get(self._server.key_variable, "").strip()
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=self._server.timeout_seconds,
            limits=httpx.Limits(max_connections=self._server.concurrency),
            follow_redirects=False,  # the key is for this server alone
            trust_env=False,  # no proxy may see it, and none comes from .netrc
            verify=ssl.create_default_context(),
        )
        self._held: tuple[str, Canary] | None = None
        self._model = ""

    @property
    def weights_sha256(self) -> str | None:
        return None if self._held is None else self._held[0]

    def hand_over(self, model_dir: Path, sha256: str) -> None:
        """Check that the server holds this checkpoint; with the plug-ins, make it load it first.

        Raises:
            ConfigError: The server has several models and none was named, or not the named one.
            EngineError: It does not answer, or has other weights.
        """
        before = self._held[1] if self._held else None
        self._held = None
        self._model = self._model or self._find_model()
        self._vocabulary, self._positions = Vocabulary.of(model_dir), positions_of(model_dir)
        expected = canary_at(model_dir)
        if self._server.plugins and self._disagreement(expected, before) is not None:
            root = self._url.removesuffix("/v1")
            order = {"method": "reload_checkpoint", "args": [str(model_dir)]}
            self._ask("POST", f"{root}/collective_rpc", order)
            self._ask("POST", f"{root}/reset_prefix_cache", {})
        self._require(expected, before, model_dir.name)
        self._extras = self._accepted_extras(expected.question.tokens[:1])
        self._held = (sha256, expected)

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:
        """Return one attempt per request, in order, each from its own request to the server.

        Raises:
            DataError: A prompt has no tokens.
            EngineError: The server did not answer, or has other weights meanwhile; then nothing is returned.
        """
        if self._held is None:
            raise ValueError("the generator holds no checkpoint; hand one over first")
        prompts = self._vocabulary.prompt_ids([request.prompt for request in requests])
        for request, prompt in zip(requests, prompts, strict=True):
            if not prompt:
                raise DataError(f"the prompt of observation {request.position} is empty; give it a question")

        def answer(request: GenerationRequest, prompt: list[int]) -> Attempt:
            sampling = self._sampling(request, len(prompt), decoding)
            ending = self._ending(self._complete(prompt, sampling), len(prompt), decoding)
            return ending.attempt(request, decoding, len(prompt))

        with ThreadPoolExecutor(self._server.concurrency) as pool:
            attempts = list(pool.map(answer, requests, prompts))
        if requests:
            self._require(self._held[1], None, "the batch")
        return attempts

    def rest(self) -> None:
        """Do nothing: the server's memory is not ours."""

    def close(self) -> None:
        self._held = None
        self._client.close()

    def _find_model(self) -> str:
        listed = self._ask("GET", f"{self._url}/models", None)["data"]
        names, wanted = [str(model["id"]) for model in listed], self._server.model
        if wanted is None and len(names) == 1:
            return names[0]
        if wanted in names:
            return str(wanted)
        raise ConfigError(
            f"generator.openai.model is {wanted!r}, and the server at {self._server.url} has {', '.join(map(repr, names))}; "
            "name one of them"
        )

    def _sampling(
        self, request: GenerationRequest, prompt_tokens: int, decoding: Decoding
    ) -> dict[str, object]:
        room = decoding.room(prompt_tokens, self._positions)
        plain = {**self._extras, "max_tokens": room, "stop": list(decoding.stop)}
        if decoding.greedy:
            return {**plain, "temperature": 0.0}
        if self._server.plugins:
            stream = {"adastar": [str(request.stream), decoding.temperature, decoding.top_p]}
            return {**plain, "temperature": 0.0, "vllm_xargs": stream}
        seed = request.stream % _SEEDS
        return {**plain, "temperature": decoding.temperature, "top_p": decoding.top_p, "seed": seed}

    def _accepted_extras(self, prompt: Sequence[int]) -> dict[str, object]:
        """Return parameters beyond OpenAI's interface, if the server accepts them: all end tokens, and ids instead of text."""
        extras: dict[str, object] = {"return_token_ids": True, "skip_special_tokens": False}
        extras["stop_token_ids"] = self._vocabulary.stops
        try:
            self._complete(list(prompt), {**extras, "max_tokens": 1, "temperature": 0.0})
        except _RefusedError:
            return {}
        return extras

    def _ending(self, answer: Mapping[str, Any], prompt_tokens: int, decoding: Decoding) -> Ending:
        """Return the response in an answer: by its ids where the server gives them, else its text up to a special token."""
        choice, known = answer["choices"][0], self._vocabulary
        if tokens := choice.get("token_ids"):
            room = decoding.room(prompt_tokens, self._positions)
            return end_elsewhere(tokens, known.ends, decoding, known.decode, longest=room)
        text, generated = str(choice["text"]), int(answer["usage"]["completion_tokens"])
        broken = known.first_special(text)
        if broken is not None:
            return Ending(text[:broken], FinishReason.SPECIAL, generated, ())
        if (ended := decoding.ends(text)) is not None:
            return Ending(text[:ended], FinishReason.STOP, generated, ())
        if choice["finish_reason"] == "length":
            return Ending(text, FinishReason.LENGTH, generated, ())
        # Servers that do not name the stop string call every end but the limit a stop.
        named = isinstance(choice.get("stop_reason"), str)
        return Ending(text, FinishReason.STOP if named else FinishReason.EOS, generated, ())

    def _require(self, expected: Canary, before: Canary | None, what: str) -> None:
        reason = self._disagreement(expected, before)
        if reason is None:
            return
        self._held = None
        raise EngineError(
            f"The server at {self._server.url} does not have the recorded checkpoint ({what}): {reason}. Load that one there and run "
            "the same command again; a vLLM with this project's plug-ins loads it itself (generator.openai.plugins)."
        )

    def _disagreement(self, expected: Canary, before: Canary | None) -> str | None:
        """Return why the server's log-probabilities are not the checkpoint's; ``None`` if they are."""
        question = expected.question
        asked = {"max_tokens": 1, "temperature": 0.0, "echo": True, "logprobs": 1}
        choice = self._complete(list(question.tokens), asked)["choices"][0]
        found = (choice.get("logprobs") or {}).get("token_logprobs")
        if not found or len(found) <= max(question.contexts):
            return "it does not return the log-probabilities of a prompt (echo with logprobs), so it cannot prove its weights"
        measured = tuple(float(found[context]) for context in question.contexts)
        return disagreement(expected, measured, self._dtype, before)

    def _complete(self, prompt: list[int], sampling: Mapping[str, object]) -> dict[str, Any]:
        body = {"model": self._model, "prompt": prompt, "n": 1, **sampling}
        return self._ask("POST", f"{self._url}/completions", body)

    def _ask(self, method: str, url: str, body: Mapping[str, object] | None) -> dict[str, Any]:
        """Return the answer; retry while the server is busy or out of reach.

        Raises:
            EngineError: It refuses, or stays out of reach.
        """
        refused = False
        for trial in range(self._server.retries + 1):
            try:
                response = self._client.request(method, url, json=body)
            except httpx.TransportError as error:
                problem, wait = f"{type(error).__name__}: {error}", 0.0
            else:
                if response.is_success:
                    answer: dict[str, Any] = response.json() if response.content else {}
                    return answer
                problem = f"status {response.status_code}: {response.text[:300]}"
                if response.status_code not in _BUSY:
                    refused = True
                    break
                header = response.headers.get("retry-after", "")
                wait = min(float(header), _LONGEST_WAIT_SECONDS) if header.isdigit() else 0.0
            if trial < self._server.retries:
                # Random, so that clients that were refused together do not come back together.
                time.sleep(max(wait, min(2.0**trial, _LONGEST_WAIT_SECONDS) * random.uniform(0.25, 0.75)))
        raise (_RefusedError if refused else EngineError)(
            f"The request to {url} failed ({problem}). Check that the server runs and that generator.openai.url is right, then run "
            "the same command again: it resumes the run."
        )
