"""`tutelage`: finds the command, runs it, and says how it ended.

A command is a function that returns a Reply. Its file is imported only when it is
called, so `tutelage --help` stays quick.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from tutelage import __version__
from tutelage.cli.options import no_command
from tutelage.cli.reply import Reply, Session
from tutelage.cli.streams import give_up, prepare_streams, say
from tutelage.core.errors import Interrupted, MissingCapability, TutelageError, UsageError
from tutelage.core.world import REPORT as LAUNCHED

DEBUG = "TUTELAGE_DEBUG"

# command: (file of `tutelage.cli` that holds it, what help says of it), by group
COMMANDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Stages": {
        "curate": ("stages", "Check, clean and split the rows: a dataset."),
        "train": ("stages", "Teach the base model the dataset: an adapter."),
        "evaluate": ("stages", "Measure it beside the baselines: a report."),
        "gate": ("stages", "Hold the report against the rules: a verdict."),
        "release": ("stages", "Put together what may be served: a release."),
        "run": ("stages", "All stages the recipe has, one after another."),
    },
    "Before": {
        "init": ("init", "Write a starter project."),
        "check": ("check", "Validate recipe, base and rows before any work."),
        "show": ("show", "Print examples as the model meets them."),
        "contract": ("contract", "Show a prompt contract, or what differs between two."),
        "plan": ("plan", "Tell memory, disk and time of the training."),
        "candidates": ("candidates", "Compare bases that might be tuned, untuned."),
    },
    "Drafting": {
        "draft": ("draft", "Have a teacher draft rows, for people to review."),
        "review": ("review", "Have people review drafts, and take their decisions in."),
    },
    "Serving": {
        "verify": ("verify", "Compare a release with what it says of itself."),
        "serve": ("serve", "Answer requests, as OpenAI's chat completions."),
        "chat": ("chat", "Talk to base and tuned model side by side."),
        "monitor": ("monitor", "Measure what was served against what was promised."),
        "improve": ("improve", "Make rows of corrected answers, for a person to approve."),
    },
    "After": {
        "lineage": ("lineage", "Walk from an artifact to what it came from, or back."),
        "explain-row": ("explain_row", "Tell every decision made about one row."),
        "compare": ("compare", "Set two runs side by side."),
        "rate": ("rate", "Have people rate answers blind, and take their ratings in."),
    },
    "About": {
        "doctor": ("doctor", "Look whether this machine can do the work."),
        "schema": ("schema", "Print the recipe's JSON Schema."),
    },
}
FILES = {name: file for group in COMMANDS.values() for name, (file, _) in group.items()}

# third-party packages a command may lack, and the extra that brings each
EXTRAS = {
    "llguidance": "constrained",
    "torch": "train",
    "transformers": "train",
    "tokenizers": "train",
    "safetensors": "train",
    "starlette": "serve",
    "uvicorn": "serve",
    "sqlalchemy": "serve",
    "prometheus_client": "serve",
}


class Lazy(click.Group):
    """A group that imports a command's file only when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order help shows them."""
        return list(FILES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, its file imported; None where there is none."""
        if cmd_name not in FILES:
            return None
        module = importlib.import_module(f"tutelage.cli.{FILES[cmd_name]}")
        command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command the first word names.

        Raises: UsageError with the nearest name.
        """
        name = args[0]
        if name not in FILES and not name.startswith("-"):
            raise no_command("tutelage", name, list(FILES))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands by group, from the table above alone."""
        for group, commands in COMMANDS.items():
            with formatter.section(group):
                formatter.write_dl([(name, says) for name, (_, says) in commands.items()])


@click.group(
    cls=Lazy,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 gate shut, 130 interrupted.",
)
@click.version_option(__version__, "-V", "--version", message="%(version)s")
def road() -> None:
    """From examples of a behaviour to a model that shows it, with evidence.

    One recipe file; one command a stage. Every command takes --json.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    session = Session(command=_command_of(words), as_json="--json" in words)
    prepare_streams(session.as_json)
    try:
        if LAUNCHED in os.environ:
            _stand_by()
        reply = _reply(words, session)
        code = _reported(reply) if LAUNCHED in os.environ else None
        code = _closed(reply, session) if code is None else code
        sys.stdout.flush()
    except BrokenPipeError:
        give_up(sys.stdout)  # its reader has gone
        return 1
    except OSError as error:
        give_up(sys.stdout)
        full = TutelageError(
            f"the answer cannot be printed: {error.strerror}",
            where="stdout",
            hint="what was made is kept: the same command prints it again",
        )
        say(full.text(), sys.stderr)
        return full.exit_code
    return code


def _stand_by() -> None:
    from tutelage.train.launch import end_with_launcher

    end_with_launcher(os.environ)


def _reported(reply: Reply) -> int | None:
    """Tells an error to the process that launched this one, which says it once for all.

    None where there is none, or where something was found that must be drawn here.
    """
    if reply.error is None or reply.draw is not None:
        return None

    from tutelage.train.launch import write_report

    write_report(Path(os.environ[LAUNCHED]), reply.error)
    return reply.error.exit_code


def _reply(words: list[str], session: Session) -> Reply:
    try:
        with session.logging():
            came = road.main(words, prog_name="tutelage", standalone_mode=False, obj=session)
        return came if isinstance(came, Reply) else Reply(code=int(came or 0))
    except BrokenPipeError:
        raise
    except (KeyboardInterrupt, click.Abort):
        return Reply(error=interrupted(words))
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message(), sys.stderr)
        return Reply(code=UsageError.exit_code)
    except click.ClickException as error:
        return Reply(error=_usage(error))
    except TutelageError as error:
        _trace()
        return Reply(error=error)
    except ModuleNotFoundError as error:
        _trace()
        return Reply(error=_missing(error))
    except OSError as error:
        _trace()
        return Reply(error=_refused(error))
    except Exception as error:  # noqa: BLE001  whatever it is, the user is told and not shown code
        _trace()
        return Reply(error=_unexpected(error))


def _closed(reply: Reply, session: Session) -> int:
    try:
        return session.close(reply)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001  what a command found may be beyond drawing
        _trace()
        return session.close(Reply(error=_unexpected(error)))


def _command_of(words: Sequence[str]) -> str:
    return next((word for word in words if not word.startswith("-")), "")


def interrupted(words: Sequence[str]) -> TutelageError:
    """What is said of a command line that was interrupted."""
    after = "begins anew" if "--force" in words else "goes on from there"
    return Interrupted(
        "interrupted; nothing is half-written", hint=f"`tutelage {' '.join(words)}` {after}"
    )


def _usage(error: click.ClickException) -> TutelageError:
    near = getattr(error, "possibilities", None) or []
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "tutelage"
    ask = f"did you mean `{near[0]}`?" if near else f"see `{path} --help`"
    option = getattr(error, "option_name", None)
    message = f"there is no option `{option}`" if near or _no_option(error) else _sentence(error)
    return UsageError(message, hint=ask)


def _no_option(error: click.ClickException) -> bool:
    return isinstance(error, click.NoSuchOption)


def _sentence(error: click.ClickException) -> str:
    text = error.format_message().rstrip(".")
    return text[:1].lower() + text[1:]


def _missing(error: ModuleNotFoundError) -> TutelageError:
    package = (error.name or "").partition(".")[0]
    extra = EXTRAS.get(package)
    if extra is None:
        return _unexpected(error)
    return MissingCapability(
        f"this needs `{package}`, which is not installed",
        hint=f"pip install 'tutelage[{extra}]'",
    )


def _refused(error: OSError) -> TutelageError:
    if error.strerror is None:
        return _unexpected(error)
    return TutelageError(
        f"the system refuses: {error.strerror}",
        where=str(error.filename or ""),
        hint=f"see whether it is there and may be read or written; {DEBUG}=1 shows who asked",
    )


def _unexpected(error: Exception) -> TutelageError:
    says = f": {error}" if str(error) else ""
    return TutelageError(
        f"unexpected {type(error).__name__}{says}",
        hint=f"this is a fault of tutelage; the same command with {DEBUG}=1 shows where",
    )


def _trace() -> None:
    if os.environ.get(DEBUG):
        traceback.print_exc(file=sys.stderr)
