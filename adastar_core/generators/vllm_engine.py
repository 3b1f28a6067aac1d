"""vLLM in its own process: orders as JSON lines on standard input, answers on standard output, the rest in a log.

Only :mod:`adastar_core.generators.vllm` runs it. The process ends when its standard input does, or its parent.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from adastar_core.machine.memory import is_memory_error
from adastar_core.machine.parent import end_soon_after
from adastar_core.models.formats import auto_format

Reply = dict[str, Any]
Order = dict[str, Any]


class Engine:
    """One ``vllm.LLM``; :meth:`.EngineProcesses.start` makes its first order."""

    def __init__(self, order: Order) -> None:
        from vllm import LLM, SamplingParams
        from vllm.platforms import current_platform

        on_cpu = current_platform.is_cpu()
        dtype = order["dtype"]
        if dtype == "auto":
            dtype = auto_format(Path(order["model"]), on_gpu=not on_cpu)
        sleeps = order["sleeps"] and current_platform.is_sleep_mode_available()
        self._llm = LLM(
            model=order["model"],
            dtype=dtype,
            kv_cache_memory_bytes=order["kv_cache_bytes"],
            gpu_memory_utilization=order["utilization"],
            tensor_parallel_size=order["tensor_parallel"],
            enable_prefix_caching=order["prefix_caching"],
            max_model_len=order["longest_text"] or -1,
            max_num_seqs=order["rows"],
            enforce_eager=on_cpu,
            enable_sleep_mode=sleeps,
            generation_config="vllm",
            trust_remote_code=False,
            disable_log_stats=True,
            async_scheduling=False,
            logits_processors=["adastar_core.generators.vllm_noise:StreamNoise"],
            worker_extension_cls="adastar_core.generators.vllm_reload.CheckpointReload",
        )
        self._params = partial(SamplingParams, temperature=0.0, ignore_eos=True)
        self._on_cpu, self._sleeps = on_cpu, sleeps

    def ready(self) -> Reply:
        config = self._llm.llm_engine.model_config
        return {
            "dtype": str(config.dtype).removeprefix("torch."),
            "platform": "cpu" if self._on_cpu else "gpu",
            "sleeps": self._sleeps,
            "longest_text": config.max_model_len,
        }

    def generate(self, order: Order) -> Reply:
        """Return every prompt's length and generated token ids, up to their end; no ids if a prompt is empty or too long."""
        prompts: list[list[int]] = order["prompts"]
        rooms: list[int] = order["max_new_tokens"]
        lengths = list(map(len, prompts))
        longest = max(length + room for length, room in zip(lengths, rooms, strict=True))
        if min(lengths) == 0 or min(rooms) < 1 or longest > self.ready()["longest_text"]:
            return {"prompt_tokens": lengths, "tokens": None}
        params = [
            self._params(
                max_tokens=room,
                stop=order["stop"],
                stop_token_ids=order["stop_tokens"],  # eos is among them
                detokenize=bool(order["stop"]),
                extra_args=None if stream is None else {"adastar": [stream, *order["sampling"]]},
            )
            for stream, room in zip(order["streams"], rooms, strict=True)
        ]
        given = [{"prompt_token_ids": prompt} for prompt in prompts]
        outputs = self._llm.generate(given, params, use_tqdm=False)
        tokens = [list(output.outputs[0].token_ids) for output in outputs]
        return {"prompt_tokens": lengths, "tokens": tokens}

    def canary(self, order: Order) -> Reply:
        """Return the log-probability of one given token after each context: one step of generation, forced."""
        tokens: list[int] = order["tokens"]
        longest = self.ready()["longest_text"]
        contexts: list[int] = [context for context in order["contexts"] if context < longest]
        params = [
            self._params(max_tokens=1, logprobs=0, allowed_token_ids=[tokens[context]], detokenize=False)
            for context in contexts
        ]
        prompts = [{"prompt_token_ids": tokens[:context]} for context in contexts]
        outputs = self._llm.generate(prompts, params, use_tqdm=False)
        found = [output.outputs[0].logprobs[0] for output in outputs]
        return {
            "logprobs": [row[tokens[context]].logprob for row, context in zip(found, contexts, strict=True)]
        }

    def load(self, order: Order) -> Reply:
        """Load the weights of another checkpoint, and drop the keys and values that the old ones computed."""
        self._llm.collective_rpc("reload_checkpoint", args=(order["model"],))
        return self._empty_cache()

    def sleep(self, _: Order) -> Reply:
        """Free the device's memory. The weights are dropped, since the next ones come from a file."""
        self._llm.sleep(level=2)
        return {}

    def wake(self, order: Order) -> Reply:
        # The cache comes last, since loading weights takes memory in addition to theirs.
        self._llm.wake_up(["weights"])
        self._llm.collective_rpc("reload_checkpoint", args=(order["model"],))
        self._llm.wake_up(["kv_cache"])
        return self._empty_cache()

    def _empty_cache(self) -> Reply:
        if not self._llm.reset_prefix_cache():
            raise RuntimeError("vLLM did not empty its prefix cache")
        return {}


def serve(orders: TextIO, answers: TextIO) -> None:
    """Open the engine by the first order, and carry out the others until there are no more."""
    engine: Engine | None = None
    for line in orders:
        order = json.loads(line)
        try:
            if engine is None:
                engine = Engine(order)
                answer = engine.ready()
            else:
                act: Callable[[Order], Reply] = getattr(engine, order["do"])
                answer = act(order)
        except Exception as error:  # noqa: BLE001 (the parent decides)
            answer = {"error": f"{type(error).__name__}: {error}", "memory": is_memory_error(error)}
        print(json.dumps(answer), file=answers, flush=True)


def main(arguments: Sequence[str]) -> None:
    end_soon_after(int(arguments[0]))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print goes to the log, not among the answers
    serve(sys.stdin, answers)
    os._exit(0)  # vLLM would take seconds to shut down


if __name__ == "__main__":
    main(sys.argv[1:])
