"""What a command says of a run when it opens it, and where it finds what came out."""

from adastar_core.config import RunConfig
from adastar_core.machine.units import flops
from adastar_core.records import Split
from adastar_core.runs.numerics import opening_formats
from adastar_core.runs.preview import preview
from adastar_core.runs.stored import StoredRun
from adastar_core.runs.warnings import data_warnings
from adastar_core.runs.workspace import Workspace

_MOST_LINES = 16


def opening(workspace: Workspace) -> str:
    """Return what a run is about to do, what will not go as configured, and its first prompt."""
    config = workspace.config
    sizes = ", ".join(f"{len(workspace.data[split]):,} {split}" for split in Split)
    first = preview(config, workspace.problem, workspace.train, workspace.vocabulary)
    notes = (*workspace.problem.notes, *data_warnings(config, workspace.data))
    engine, formats = "", opening_formats(config, workspace.root)
    if config.generator.type == "auto":
        choice = workspace.generators.choice
        engine = f"Generates with {choice.engine}: {choice.why}. "
    return (
        f"Run {workspace.run.name}: {config.method_title()} on {workspace.problem.name} ({sizes}), from {config.model} "
        f"with {workspace.parameters:,} parameters.\n{_plan(config)}, at most {config.attempts_at_most()} attempts per "
        f"observation. {engine}{formats} Files: {workspace.folder}"
        + "".join(f"\n{line}" for line in (*notes, *first.lines(_MOST_LINES)))
    )


def _plan(config: RunConfig) -> str:
    last = config.iterations
    if config.budget_pflops is not None:
        length = f"Iterations until {flops(config.budget_pflops)} are spent, {last} at most"
        betas = f"beta_1 = {config.beta(1):,}, growing by {config.schedule.growth:g}"
    elif last > 1:
        length = f"{last} iterations"
        betas = f"beta_1 = {config.beta(1):,}, beta_{last} = {config.beta(last):,}"
    else:
        length, betas = "1 iteration", f"beta_1 = {config.beta(1):,}"
    stop = config.schedule.stop
    if stop.by_acceptance:
        return f"{length}, each {stop.summary} ({betas})"
    trained = f"beta_t of them ({betas})" if config.trains_up_to_beta() else "all accepted rationales"
    return f"{length}, each {stop.summary}, trained on {trained}"


def places(stored: StoredRun) -> dict[str, str]:
    """Return where the run's report, files and rows lie, by name. The database's password is left out."""
    report, store = stored.folder / "report", stored.file_store
    shared = {"file store": f"{store.address}/{stored.store_key}"} if store else {}
    return {
        "report": str(report / "report.html"),
        "figures": str(report / "*.png"),
        "directory": str(stored.folder),
        **shared,
        "database": stored.engine.url.render_as_string(hide_password=True),
    }
