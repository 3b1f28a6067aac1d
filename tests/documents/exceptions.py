"""Which printed commands ``test_commands.py`` does not run, or runs otherwise than printed, and why: the whole list.

A key is a command, with ``*`` for what may follow. Everything else in README, CONTRIBUTING.md and docs/*.md runs as printed.
"""

DOWNLOADS = (
    "downloads packages; tests/packaging/test_install.py runs the script with a pip and a uv that only tell"
)
THIS_TEST = "make test runs this test"
PROCESS_POOL = "servers that stay up: tests/deployment/test_document.py runs the blocks in make soak"
CLUSTER = "another machine: tests/cluster/test_ray_run.py starts a cluster on this one"

NOT_RUN: dict[str, dict[str, str]] = {
    "README.md": {
        "make test": THIS_TEST,
        "adastar models get *": DOWNLOADS,
        "adastar run --preset laptop-*": "a downloaded model: tests/stages/test_starting_from_a_run.py",
        "python docker/set_up.py *": PROCESS_POOL,
        "python flows/adastar.py --config mine.yaml --set compute.backend=ray": CLUSTER,
    },
    "CONTRIBUTING.md": {
        "make install-dev": DOWNLOADS,
        "make format": "changes files; make lint is what make test runs",
        "make lint types": THIS_TEST,
        "make test": THIS_TEST,
        "make test ARGS=*": THIS_TEST,
        "make coverage": THIS_TEST,
        "make test-real": "a downloaded model, and minutes of its runs: .ci/run runs this command",
        "make test-vllm": "vLLM has an environment of its own: .ci/run runs this command",
        "make soak": "an hour and a half",
        "make audit": "asks a service on the internet",
    },
    "docs/deploying.md": {
        "make install": PROCESS_POOL,
        ". .venv/bin/activate": PROCESS_POOL,
        "adastar doctor": PROCESS_POOL,
        "export *": PROCESS_POOL,
        "prefect *": PROCESS_POOL,
        "python docker/set_up.py": PROCESS_POOL,
        "exec prefect worker start *": PROCESS_POOL,
        "adastar runs": PROCESS_POOL,
        "python flows/adastar.py --config mine.yaml --run mine": "two machines: tests/documents/test_several_machines.py",
    },
    "docs/docker.md": dict.fromkeys(
        ("cp docker/env.example *", "docker *"),
        "a Docker engine: tests/deployment/test_files.py and tests/deployment/test_copy.py check what the files say",
    ),
    "docs/engines.md": {
        "pip install *": DOWNLOADS,
        "adastar models get *": "downloads a model: tests/core/test_model_library.py",
        "adastar init *": "needs the downloaded model: tests/documents/test_commands.py runs it in the README",
        "make test-vllm": "vLLM has an environment of its own: .ci/run runs this command",
        "python flows/adastar.py --set generator.type=vllm": "vLLM has an environment of its own: tests/vllm/test_run.py",
        "VLLM_SERVER_DEV_MODE=1 vllm serve *": "a server that stays up: tests/vllm/test_server_run.py",
        "export ADASTAR_SERVERS=*": "a server that stays up: tests/vllm/test_server_run.py",
        "python flows/adastar.py --set model=MODEL *": "a server that stays up: tests/vllm/test_server_run.py",
    },
    "docs/installing.md": {
        "make *": DOWNLOADS,
        "python3 -m venv *": DOWNLOADS,
        "pip install *": DOWNLOADS,
        "uv *": DOWNLOADS,
    },
    "docs/kubernetes.md": dict.fromkeys(
        ("kubectl *", "cp docker/kubernetes/*", "export PREFECT_API_URL=*", "prefect deployment run *"),
        "a cluster: tests/deployment/test_kubernetes.py checks what the manifests say",
    ),
    "docs/queries.md": {"adastar sql *": "asks about a run that is there: tests/cli/test_recipes.py"},
    "docs/scaling.md": {
        "pip install *": DOWNLOADS,
        "ray start *": CLUSTER,
        "python flows/adastar.py --config mine.yaml": CLUSTER,
    },
    "docs/training.md": {
        "python flows/adastar.py --preset laptop-*": "a downloaded model: tests/stages/test_starting_from_a_run.py",
    },
    "docs/ui.md": {"adastar ui*": "serves until Ctrl-C: tests/ui/test_command.py"},
}  # fmt: skip

SHORTER: dict[str, str] = {
    "make run": '{} ARGS="--set iterations=1 --set schedule.first_steps=4 --set problem.test=100"',
    "python flows/compare.py *": "{} --dry-run",
}
"""What runs instead of a command that takes minutes or hours; ``{}`` is the command itself."""

STANDS_FOR = {
    "RUN": "mine",
    "CHECKPOINT": "mine:1",
}
"""What the test puts in the place of a word that the reader replaces."""
