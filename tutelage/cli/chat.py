"""`chat`: base and tuned model, asked the same and answering side by side."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tutelage.cli.options import named, of_project
from tutelage.cli.reply import Reply, Session
from tutelage.core.conversation import Conversation, Message
from tutelage.core.errors import ContractError

if TYPE_CHECKING:
    from rich.console import Console

    from tutelage.engine.protocol import Decoding, Engine, Generation
    from tutelage.engine.release import Opened
    from tutelage.render.contract import Contract
    from tutelage.store.release import ReleaseFolder

NARROW = 72  # columns below which answers stand under each other
BASE, TUNED = "base", "tuned"
QUIT, RESET = "/quit", "/reset"


@click.command("chat")
@click.argument("reference", metavar="[RELEASE]", required=False)
@click.option("--base", metavar="FOLDER", help="Where its base lies, if not where it lay then.")
@of_project
@click.pass_obj
def chat_command(session: Session, reference: str | None, base: str | None, project: Path) -> Reply:
    """Talk to RELEASE and to the base it came from, side by side.

    A line is a turn; /reset begins anew, /quit ends. What is not a terminal is read
    line by line. Each model remembers its own answers; no event is kept.
    """
    from tutelage.cli.results import find_release
    from tutelage.engine.release import open_release

    release = find_release(reference, project)
    home = None if base else named(project)  # `--base` is written from here
    opened = open_release(release, base=base, relative_to=home)
    talk = Talk(speakers=_speakers(session, release, opened), decoding=_decoding(opened))
    try:
        for line in _lines(session, release):
            _turn(session, talk, line)
    except KeyboardInterrupt:
        pass  # the ordinary end of a talk
    return Reply(data={"release": release.label, "turns": talk.turns})


@dataclass(slots=True, kw_only=True)
class Speaker:
    """One of the models, and the talk as it remembers it."""

    engine: Engine
    contract: Contract
    messages: tuple[Message, ...] = ()

    def answer(self, line: str, decoding: Decoding) -> Generation:
        """What it says to the next line.

        Raises: ContractError where the talk no longer fits; it is then as before.
        """
        from tutelage.engine.protocol import Prompt

        messages = (*self.messages, Message(role="user", content=line))
        ids = self.contract.prompt_ids(Conversation(messages=messages))
        (said,) = self.engine.generate([Prompt(ids=ids, messages=messages)], decoding)
        self.messages = (*messages, Message(role="assistant", content=said.text))
        return said


@dataclass(slots=True, kw_only=True)
class Talk:
    """Both models, asked the same."""

    speakers: Mapping[str, Speaker]
    decoding: Decoding
    turns: int = field(default=0)

    def answer(self, line: str) -> dict[str, Generation]:
        """What each says to the next line.

        Raises: ContractError where the talk no longer fits; it is then as before.
        """
        before = {name: one.messages for name, one in self.speakers.items()}
        try:
            said = {name: one.answer(line, self.decoding) for name, one in self.speakers.items()}
        except ContractError:
            for name, messages in before.items():
                self.speakers[name].messages = messages
            raise
        self.turns += 1
        return said

    def reset(self) -> None:
        """Begins anew."""
        for one in self.speakers.values():
            one.messages = ()


def _speakers(session: Session, release: ReleaseFolder, opened: Opened) -> dict[str, Speaker]:
    from tutelage.engine.local import LocalEngine

    contract = opened.contract
    tuned = Speaker(engine=opened.engine, contract=contract)
    if not opened.base.weight_files():
        session.warn("the base has no weights of its own: only the tuned model answers")
        return {TUNED: tuned}
    bare = LocalEngine.open(opened.base, None, decode=contract.decode, precision=release.precision)
    return {BASE: Speaker(engine=bare, contract=contract), TUNED: tuned}


def _decoding(opened: Opened) -> Decoding:
    from tutelage.engine.protocol import Decoding

    asked = opened.contract.decoding
    return Decoding(
        max_new_tokens=asked.max_new_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        stop=opened.contract.stop_ids,
    )


def _lines(session: Session, release: ReleaseFolder) -> Iterator[str]:
    """What the user says, line by line, until the end."""
    asking = sys.stdin.isatty() and not session.as_json
    if asking:
        sys.stderr.write(f"{release.label} beside its base; {RESET} begins anew, {QUIT} ends\n")
    while True:
        if asking:
            sys.stderr.write("\n> ")
            sys.stderr.flush()
        line = sys.stdin.readline()
        if not line or line.strip() == QUIT:
            return
        if line.strip():  # bytes that were no UTF-8 came as halves of characters
            yield line.rstrip("\n").encode(errors="surrogateescape").decode(errors="replace")


def _turn(session: Session, talk: Talk, line: str) -> None:
    if line.strip() == RESET:
        talk.reset()
        return
    try:
        said = talk.answer(line)
    except ContractError as error:
        session.warn(f"{error.message}; {RESET} begins anew")
        return
    if session.as_json:
        sys.stdout.write(json.dumps({"request": line, **_forms(said)}) + "\n")
    else:
        draw(session.console(), line, {name: one.text for name, one in said.items()})
    sys.stdout.flush()


def _forms(said: Mapping[str, Generation]) -> dict[str, Any]:
    return {
        name: {
            "answer": one.text,
            "stop": one.stop,
            "tokens": len(one.ids),
            "seconds": round(one.seconds, 4),
        }
        for name, one in said.items()
    }


def draw(console: Console, line: str, said: Mapping[str, str]) -> None:
    """The answers beside each other, or under each other where there is little room."""
    from rich.table import Table
    from rich.text import Text

    from tutelage.core.printable import printable

    console.print(Text(printable(line), style="dim"))
    texts = {name: Text(printable(text)) for name, text in said.items()}
    if console.width < NARROW or len(said) == 1:
        for name, text in texts.items():
            console.print(Text(name, style="bold"))
            console.print(text)
        return
    table = Table(expand=True, show_lines=False)
    for name in texts:
        table.add_column(name, ratio=1, overflow="fold")
    table.add_row(*texts.values())
    console.print(table)
