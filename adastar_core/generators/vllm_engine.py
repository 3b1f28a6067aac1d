"""vLLM in a process of its own: orders as JSON lines on standard input, answers on standard output, the rest in a log.

Run by :mod:`adastar_core.generators.vllm` and by nobody else. The process ends when its standard input does, and when its
parent is no longer there.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from adastar_core.machine.memory import is_memory_error
from adastar_core.machine.parent import end_soon_after

Answer = dict[str, Any]
Order = dict[str, Any]


class Engine:
    """One ``vllm.LLM``.

    Args:
        order: Its first order: ``model``, ``dtype``, ``kv_cache_bytes``, ``utilization``, ``tensor_parallel``,
            ``prefix_caching``, ``longest_text``, ``rows`` and ``sleeps``.
    """

    def __init__(self, order: Order) -> None:
        from vllm import LLM
        from vllm.platforms import current_platform

        self._platform = current_platform
        sleeps = order["sleeps"] and current_platform.is_sleep_mode_available()
        self._llm = LLM(
            model=order["model"],
            dtype=_dtype(order["dtype"], cpu=current_platform.is_cpu()),
            kv_cache_memory_bytes=order["kv_cache_bytes"],
            gpu_memory_utilization=order["utilization"],
            tensor_parallel_size=order["tensor_parallel"],
            enable_prefix_caching=order["prefix_caching"],
            max_model_len=order["longest_text"] or -1,
            max_num_seqs=order["rows"],
            enforce_eager=current_platform.is_cpu(),
            enable_sleep_mode=sleeps,
            generation_config="vllm",
            trust_remote_code=False,
            disable_log_stats=True,
            async_scheduling=False,
            logits_processors=["adastar_core.generators.vllm_noise:StreamNoise"],
            worker_extension_cls="adastar_core.generators.vllm_reload.CheckpointReload",
        )
        self._sleeps = sleeps

    def ready(self) -> Answer:
        """Return what the parent wants to know of the engine."""
        config = self._llm.llm_engine.model_config
        return {
            "dtype": str(config.dtype).removeprefix("torch."),
            "platform": "cpu" if self._platform.is_cpu() else "gpu",
            "sleeps": self._sleeps,
            "longest_text": config.max_model_len,
        }

    def generate(self, order: Order) -> Answer:
        """Return the generated token ids of every prompt, as far as they were needed, and the prompts' lengths."""
        from vllm import SamplingParams

        prompts: list[list[int]] = order["prompts"]
        rooms: list[int] = order["max_new_tokens"]
        longest = max(len(prompt) + room for prompt, room in zip(prompts, rooms, strict=True))
        if (
            min(map(len, prompts)) == 0
            or min(rooms) < 1
            or longest > self._llm.llm_engine.model_config.max_model_len
        ):
            return {"prompt_tokens": list(map(len, prompts)), "tokens": None}
        params = [
            SamplingParams(
                temperature=0.0,
                max_tokens=room,
                stop=order["stop"],
                stop_token_ids=order["stop_tokens"],
                ignore_eos=True,  # it is among them
                detokenize=bool(order["stop"]),
                extra_args=None if stream is None else {"adastar": [stream, *order["sampling"]]},
            )
            for stream, room in zip(order["streams"], rooms, strict=True)
        ]
        outputs = self._llm.generate([{"prompt_token_ids": one} for one in prompts], params, use_tqdm=False)
        tokens = [list(output.outputs[0].token_ids) for output in outputs]
        return {"prompt_tokens": list(map(len, prompts)), "tokens": tokens}

    def canary(self, order: Order) -> Answer:
        """Return the log-probability of one given token after each context: one step of generation, forced."""
        from vllm import SamplingParams

        tokens: list[int] = order["tokens"]
        contexts: list[int] = [one for one in order["contexts"] if one < self.ready()["longest_text"]]
        params = [
            SamplingParams(
                temperature=0.0,
                max_tokens=1,
                logprobs=0,
                allowed_token_ids=[tokens[one]],
                ignore_eos=True,
                detokenize=False,
            )
            for one in contexts
        ]
        prompts = [{"prompt_token_ids": tokens[:one]} for one in contexts]
        outputs = self._llm.generate(prompts, params, use_tqdm=False)
        found = [output.outputs[0].logprobs[0] for output in outputs]
        return {"logprobs": [row[tokens[one]].logprob for row, one in zip(found, contexts, strict=True)]}

    def load(self, order: Order) -> Answer:
        """Take the weights of another checkpoint, and forget keys and values that the old ones computed."""
        self._llm.collective_rpc("reload_checkpoint", args=(order["model"],))
        if not self._llm.reset_prefix_cache():
            raise RuntimeError("vLLM did not empty its prefix cache")
        return {}

    def sleep(self, _: Order) -> Answer:
        """Free the device's memory; the weights are dropped, since the next ones come from a file."""
        self._llm.sleep(level=2)
        return {}

    def wake(self, order: Order) -> Answer:
        """Take the device's memory again, and a checkpoint's weights."""
        self._llm.wake_up(["weights"])
        self._llm.collective_rpc("reload_checkpoint", args=(order["model"],))
        self._llm.wake_up(["kv_cache"])
        if not self._llm.reset_prefix_cache():
            raise RuntimeError("vLLM did not empty its prefix cache")
        return {}


def _dtype(name: str, *, cpu: bool) -> str:
    return {True: "float32", False: "bfloat16"}[cpu] if name == "auto" else name


def serve(orders: TextIO, answers: TextIO) -> None:
    """Open the engine as the first order says and do what the others say, until there are no more."""
    engine: Engine | None = None
    for line in orders:
        order = json.loads(line)
        try:
            if engine is None:
                engine = Engine(order)
                answer = engine.ready()
            else:
                act: Callable[[Order], Answer] = getattr(engine, order["do"])
                answer = act(order)
        except Exception as error:  # noqa: BLE001 (whatever fails in here is the parent's to judge)
            answer = {"error": f"{type(error).__name__}: {error}", "memory": is_memory_error(error)}
        print(json.dumps(answer), file=answers, flush=True)


def main(arguments: Sequence[str]) -> None:
    """Serve the parent whose process id is the only argument. What libraries print goes where errors go."""
    end_soon_after(int(arguments[0]))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, answers)
    os._exit(0)  # vLLM would take seconds to say goodbye


if __name__ == "__main__":
    main(sys.argv[1:])
