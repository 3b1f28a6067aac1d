"""The command line of ``flows/compare.py``."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.table import Table

from adastar_core.cli.app import Flag, flow_name, new_app
from adastar_core.comparison import text
from adastar_core.comparison.member import SelectOn
from adastar_core.comparison.rung_text import reason
from adastar_core.comparison.table import Comparison
from adastar_core.config import RunConfig
from adastar_core.config.base import Base, base_of
from adastar_core.config.methods import METHODS, OWN
from adastar_core.errors import ConfigError
from adastar_core.machine.units import flops
from flows.commandline import ONE_SOURCE, errors_explained, say
from flows.members import DEFAULT_PRESET, ComparisonSettings

NAME = flow_name("compare", "compare.py")
EXAMPLES = f"""\
Examples:
  Three methods, five seeds, arithmetic-hard:
    {NAME}
  Every method, three seeds:
    {NAME} --methods all --seeds 0..2
  The same compute for every run:
    {NAME} --preset quickstart --seeds 0..2 --budget 1.5TFLOPs
  A configuration file of your own, six iterations of each run:
    {NAME} mine.yaml --methods adastar,star --budget 6

  Your own sampler beside AdaSTaR:
    {NAME} --methods adastar,custom --set sampler.path=mine.py:Mine

  Stop methods early that cannot win any more:
    {NAME} --methods all --seeds 0..4 --budget 2TFLOPs --drop

  What that would cost, and the first prompt; nothing is started:
    {NAME} mine.yaml --methods adastar,star --budget 6 --dry-run

The same command resumes a comparison that was interrupted. More methods or seeds add to it.
"""
Compare = Callable[[ComparisonSettings], Comparison]


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a comparison, which ``docs/usage.md`` shows too.

    Attributes:
        config: A configuration file that all runs share, instead of a preset.
        preset: The preset that all runs share (default: arithmetic-hard; with another model, the defaults for pre-trained
            models).
        methods: Methods, or all but custom, which is your own sampler; --list-methods shows them.
        seeds: A range, or a list such as 0,3,7.
        budget: Iterations (8) or compute (2TFLOPs, 0.5PFLOPs) of each run (default: the preset's own).
        drop: Stop methods after a quarter and after half of the budget that cannot win any more on validation; without it,
            the same command runs them to their end.
        select_on: The split that selects checkpoints; test is the paper's protocol, and the table says so.
        overrides: Change one configuration key of every run (sampler.path: of the method custom); may be repeated.
        parallel: Number of concurrent runs.
        threads: Threads of each run.
        output: Where the table and figures are written (default: the data directory).
        dry_run: Print each method's plan and its warnings, and the first prompt; write nothing.
        list_methods: List the methods and exit.
    """

    config: Annotated[Path | None, Parameter(metavar="FILE.yaml", group=ONE_SOURCE)] = field(
        default=None, kw_only=False
    )
    preset: Annotated[str | None, Parameter(metavar="NAME", group=ONE_SOURCE)] = None
    methods: Annotated[str, Parameter(metavar="A,B,...")] = "adastar,random-lazy,star-acc"
    seeds: Annotated[str, Parameter(metavar="0..4")] = "0..4"
    budget: Annotated[str | None, Parameter(metavar="N|COMPUTE")] = None
    drop: Annotated[bool, Flag] = False
    select_on: SelectOn = "validation"
    overrides: Annotated[tuple[str, ...], Flag, Parameter(name="--set", metavar="a.b=value")] = ()
    parallel: Annotated[int, Parameter(metavar="N", validator=Number(gte=1))] = 2
    threads: Annotated[int, Parameter(metavar="N", validator=Number(gte=1))] = 1
    output: Annotated[Path | None, Parameter(metavar="FOLDER")] = None
    dry_run: Annotated[bool, Flag] = False
    list_methods: Annotated[bool, Flag] = False

    def below(self) -> Base:
        """Return where the values come from that all runs share."""
        return base_of(self.preset, self.config, self.overrides, DEFAULT_PRESET)

    def settings(self) -> ComparisonSettings:
        source: Literal["preset", "config", "defaults"] = "config"
        base = str(self.config)
        if self.config is None:
            below = self.below()
            source = "preset" if below.preset else "defaults"
            base = below.preset or below.resolve(self.overrides).problem.type
        return ComparisonSettings(
            source=source,
            base=base,
            methods=methods_of(self.methods),
            seeds=seeds_of(self.seeds),
            overrides=self.overrides,
            budget=self.budget,
            select_on=self.select_on,
            drop=self.drop,
            parallel=self.parallel,
            threads=self.threads,
            given_output=self.output,
        )


APP = new_app(
    NAME, "Compare methods on one problem and model: a run per method and seed, and one table.", EXAMPLES
)
APP.default(Options)


def main(compare: Compare, arguments: Sequence[str] | None = None) -> None:
    """Run the command; end the process with one paragraph and an exit status where it fails."""
    with errors_explained(NAME, "comparison"):
        options = APP(arguments)
        if isinstance(options, Options):  # else help was asked for, and printed
            carry_out(options, compare, Console())


def carry_out(options: Options, compare: Compare, console: Console) -> None:
    """Do what the options ask: list, plan, or compare."""
    if options.list_methods:
        for known, method in METHODS.items():
            console.print(f"{known:20} {method.title}: {method.summary}", highlight=False, soft_wrap=True)
        return
    settings = options.settings()
    first, _ = settings.seeds[0], settings.rungs  # refuses bad values, as the next line does
    configs = [settings.config(name, first) for name in settings.methods]
    if warning := options.below().remaining(configs[0], options.overrides):
        say(console, warning)
    if options.dry_run:
        dry_run(settings, configs, console)
        return
    from flows.prefect_server import check_server, prefect_server

    check_server()
    methods, seeds = len(settings.methods), len(settings.seeds)
    about = f"{methods} methods with {seeds} seeds: {methods * seeds} runs, {settings.parallel} at once"
    console.print(f"Comparing {about}. Logs: {settings.folder}", highlight=False, soft_wrap=True)
    with prefect_server():
        comparison = compare(settings)
    print_comparison(comparison, console)
    console.print(f"Files: {settings.output}", highlight=False, soft_wrap=True)


def dry_run(settings: ComparisonSettings, configs: Sequence[RunConfig], console: Console) -> None:
    """Print what each method's runs would cost, what will not go as configured, and the first prompt."""
    import torch

    from adastar_core.planning.plan import plan_of
    from adastar_core.planning.text import warning_lines

    plans = [plan_of(config, on_gpu=torch.cuda.is_available()) for config in configs]
    seeds = len(settings.seeds)
    at_once = min(settings.parallel, seeds * len(configs))
    table = Table("method", title=settings.title, title_justify="left", box=None, pad_edge=False)
    for heading in ("runs", "iterations", "a run", "at most", "all runs"):
        table.add_column(heading, justify="right")
    total = 0.0
    for config, plan in zip(configs, plans, strict=True):
        budget = config.budget_pflops or math.inf  # a run ends with the iteration that reaches it
        expected, most = (min(cost, budget) for cost in (plan.expected_pflops, plan.pflops))
        total += seeds * expected
        costs = (flops(cost) for cost in (expected, most, seeds * expected))
        table.add_row(config.method, str(seeds), str(config.iterations), *costs)
    console.print(table)
    say(console, f"Expected for all runs, if half of the visited observations are accepted: {flops(total)}.")
    if settings.drop:
        say(console, _with_rungs(settings, total))
    warnings = (line for plan in plans for line in (*warning_lines(plan, None, at_once), *plan.data_notes))
    say(console, *dict.fromkeys(warnings), "", *plans[0].preview.lines(), "", "Nothing was written.")


def _with_rungs(settings: ComparisonSettings, total: float) -> str:
    """Return what dropping methods may save: all but one at the first rung."""
    first, methods = settings.rungs[0], len(settings.methods)
    least = total * (1 + (methods - 1) * first.limit / first.whole) / methods
    ends = ", ".join(rung.title for rung in settings.rungs)
    return f"Rungs after {ends}. If the first drops all methods but one, about {flops(least)}."


def methods_of(words: str) -> tuple[str, ...]:
    """Return the methods that ``words`` names, ``all`` being every one that needs no more than its name.

    Raises:
        ConfigError: One is unknown.
    """
    if words == "all":
        return tuple(name for name in METHODS if name != OWN)
    named = tuple(dict.fromkeys(word.strip() for word in words.split(",") if word.strip()))
    unknown = [name for name in named if name not in METHODS]
    if unknown or not named:
        raise ConfigError(
            f"--methods {words}: no method {', '.join(unknown) or 'is named'}; --list-methods shows them."
        )
    return named


def seeds_of(words: str) -> tuple[int, ...]:
    """Return the seeds of ``0..4`` or ``0,3,7``.

    Raises:
        ConfigError: It is neither.
    """
    first, _, last = words.partition("..")
    in_a_row = first.isdigit() and last.isdigit()
    parts = range(int(first), int(last) + 1) if in_a_row else words.split(",")
    if not parts or not all(str(part).strip().isdigit() for part in parts):
        raise ConfigError(f"--seeds {words} is neither a range such as 0..4 nor a list such as 0,3,7.")
    return tuple(dict.fromkeys(int(part) for part in parts))


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the columns that matter most; the files hold all."""
    shown = (0, 1, 2, 3, 4, 6, 7, 12, 15, 16)
    table = Table(title=comparison.title, title_justify="left", box=None, pad_edge=False)
    head = text.headings(comparison)
    for place in shown:
        table.add_column(head[place], justify="left" if place == 0 else "right")
    for row in text.cells(comparison):
        table.add_row(*(row[place] for place in shown))
    console.print(table)
    console.print(text.headline(comparison), highlight=False, soft_wrap=True)
    for decision in comparison.decisions:
        for verdict in decision.dropped.values():
            title = METHODS[verdict.method].title
            console.print(f"* {title}: {reason(decision, verdict)}", highlight=False, soft_wrap=True)
    for note in text.notes(comparison):
        console.print(f"* {note}", highlight=False, soft_wrap=True)
