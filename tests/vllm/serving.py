"""A real ``vllm serve`` on a CPU, with this project's plug-ins."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

START_SECONDS = 240


class Server:
    """A server that has one checkpoint and takes others of the same shape; ``with`` waits for it and ends it.

    Args:
        model_dir: The checkpoint that it starts with.
        log: File for what it prints.
    """

    def __init__(self, model_dir: Path, log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.log = log
        command = [
            sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model_dir), "--served-model-name", "tiny",
            "--host", "127.0.0.1", "--port", str(self.port), "--dtype", "float32", "--enforce-eager",
            "--kv-cache-memory-bytes", str(64 * 2**20), "--generation-config", "vllm",
            "--logits-processors", "adastar_core.generators.vllm_noise:StreamNoise",
            "--worker-extension-cls", "adastar_core.generators.vllm_reload.CheckpointReload",
        ]  # fmt: skip
        environment = {
            **os.environ,
            "VLLM_SERVER_DEV_MODE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "VLLM_USE_V2_MODEL_RUNNER": "0",
            "HF_HUB_OFFLINE": "1",
        }
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)

    def __enter__(self) -> "Server":
        try:
            self._wait()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/health", timeout=5).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.5)
        raise AssertionError(self.log.read_text()[-3000:])

    def _end(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)
