"""An engine with the faults that vLLM has had, to see that they are found out. The file that ``FAULT`` names says which."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from adastar_core.generators import vllm_engine
from adastar_core.generators.vllm_engine import Engine, Order, Reply

LOAD, GENERATE = Engine.load, Engine.generate


def old_output_layer(engine: Engine, order: Order) -> Reply:
    """Reload as vLLM does by itself, which leaves a tied output layer as it was."""
    engine._llm.collective_rpc("reload_weights", kwargs={"weights_path": order["model"]})
    engine._llm.reset_prefix_cache()
    return {}


def old_keys_and_values(engine: Engine, order: Order) -> Reply:
    """Keep what the old weights have computed of prompts."""
    engine._llm.collective_rpc("reload_checkpoint", args=(order["model"],))
    return {}


def nothing(engine: Engine, order: Order) -> Reply:
    """Keep the old weights altogether."""
    return {}


def out_of_memory(engine: Engine, order: Order) -> Reply:
    """Fail on batches of more than ten, as an allocator does."""
    if len(order["prompts"]) > 10:
        raise MemoryError("Tried to allocate 2.00 GiB")
    return GENERATE(engine, order)


FAULTS: dict[str, Callable[[Engine, Order], Reply]] = {
    one.__name__: one for one in (old_output_layer, old_keys_and_values, nothing, out_of_memory)
}


def fault(*names: str) -> Callable[[Engine, Order], Reply] | None:
    """Return the fault that is wanted now, if it is one of these."""
    wanted = Path(os.environ["FAULT"]).read_text()
    return FAULTS[wanted] if wanted in names else None


def load(engine: Engine, order: Order) -> Reply:
    """Load, with the fault that is wanted."""
    return (fault("old_output_layer", "old_keys_and_values", "nothing") or LOAD)(engine, order)


def generate(engine: Engine, order: Order) -> Reply:
    """Generate, with the fault that is wanted."""
    return (fault("out_of_memory") or GENERATE)(engine, order)


if __name__ == "__main__":
    Engine.load = load  # type: ignore[method-assign]
    Engine.generate = generate  # type: ignore[method-assign]
    vllm_engine.main(sys.argv[1:])
