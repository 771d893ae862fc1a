"""Entry point of the `asknown` command.

Areas are imported only when one of their commands runs, so that help and completion stay fast.
An area's module exposes `register(root)`, which adds its commands to a Typer, or `app`, which is
the command itself.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from asknown import VERSION
from asknown.errors import AsknownError, ExitCode


class Area(NamedTuple):
    """Where a command is defined, and its line in the help."""

    module: str
    help: str


COMMANDS = {
    "up": Area("stack", "Start the local stack and wait until it is ready."),
    "down": Area("stack", "Stop the local stack; its data stays."),
    "status": Area("stack", "Show every service, its address and the jobs."),
    "doctor": Area("stack", "Check prerequisites, jars, ports, disk and services."),
    "logs": Area("stack", "Show the log of a service."),
    "job": Area("job", "Submit, list, cancel and stop Flink jobs."),
    "ingest": Area("ingest", "Send a source's records to the raw topics."),
    "reference": Area("reference", "Load securities and corporate actions."),
    "symbol": Area("symbol", "Tell whose an identifier was, as of any date."),
    "actions": Area("actions", "Show an instrument's corporate actions and factors."),
    "watch": Area("watch", "Show trades, quotes or bars as they come."),
    "ledger": Area("ledger", "Check that every raw record ended in exactly one lane."),
    "freshness": Area("freshness", "Show how old each dataset is, in open-session time."),
    "quality": Area("quality", "Show measurements beyond what is usual or promised."),
    "audit": Area("audit", "Check over the lake that no row used what was learnt later."),
    "quarantine": Area("quarantine", "Look at refused records, bring them back, or let them be."),
    "schema": Area("schema", "Compare contracts with registry and tables; migrate those."),
    "heal": Area("heal", "Put late records into silver and their bars, exactly once."),
    "explain": Area("explain", "Say what a reason code means and what to do next."),
    "backfill": Area("backfill", "Recompute partitions of the lake with the jobs' own code."),
    "sql": Area("sql", "Ask the lake in SQL, by the knowledge of any moment."),
    "research": Area("research", "Compute daily bars, features and universes as they were known."),
    "datasets": Area("lineage", "List every dataset, or show one: columns, places, jobs."),
    "lineage": Area("lineage", "Show what a dataset or column is made of, or what is of it."),
    "export": Area("export", "Write rows of a table to a file that can be had again."),
    "lake": Area("lake", "Look after the lake: small files, old snapshots, orphans."),
    "recover": Area("recover", "Make a store anew, compare it, bring back what is lost."),
    "demo": Area("demo", "Run the whole platform once on real input."),
}


class LazyGroup(TyperGroup):
    """A group that knows its commands' names and imports only the one that is run."""

    def __init__(self, **attributes: Any) -> None:
        """Make the group with a stub for every command."""
        super().__init__(**attributes)
        for name, area in COMMANDS.items():
            self.commands[name] = TyperCommand(name=name, help=area.help, callback=_never)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command to run with its arguments, imported."""
        if args and args[0] in COMMANDS:
            return args[0], load(args[0]), args[1:]
        return super().resolve_command(ctx, args)


def load(name: str) -> Any:
    """Import a command's module and return the command.

    Raises:
        AsknownError: the module defines no such command.
    """
    module = importlib.import_module(f"asknown.cli.{COMMANDS[name].module}")
    if hasattr(module, "register"):
        root = typer.Typer(add_completion=False)
        root.callback()(lambda: None)  # keeps a single command a member of a group
        module.register(root)
        commands: dict[str, Any] = getattr(typer.main.get_command(root), "commands", {})
        if name in commands:
            return commands[name]
    elif hasattr(module, "app"):
        command = typer.main.get_command(module.app)
        command.name = name
        return command
    raise AsknownError(
        "ASKNOWN-CLI-002", f"Expected {module.__name__} to define {name!r}, found nothing."
    )


def _never() -> None:
    raise AssertionError("a stub was run instead of the command")


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from asknown.cli.output import output

        output("text").line(f"asknown {VERSION}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Market data that can be asked for as it is now and as it was known then."""


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; errors become one line on stderr."""
    try:
        result = typer.main.get_command(app)(arguments, prog_name="asknown", standalone_mode=False)
    except AsknownError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    except typer.TyperException as error:
        return _usage(error)
    except typer.Abort:
        print("Stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # the reader (head, less) has gone: no error, and Python must not flush once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)
    return result if isinstance(result, int) else int(ExitCode.OK)


def _usage(error: Any) -> int:
    """Print what is wrong with a command line and where its help is."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "asknown"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(message, file=sys.stderr)
    else:
        print(f"ASKNOWN-CLI-003 {message} Next: {path} --help", file=sys.stderr)
    return int(ExitCode.USAGE)


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
