"""Conversations of a text in which speakers take turns: chats by name, and channels of many.

With `roles` a block between blank lines is one conversation, and every speaker has the role the
recipe gives. Without, the text is a channel (IRC): who asked and was answered by name is the
user, who answered by name is the assistant, and what the two go on to say to each other follows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tutelage.core.ledger import Reason
from tutelage.store.ingest.opened import opened
from tutelage.store.ingest.records import Record, Refused

WINDOW = 30  # lines of a channel after which an exchange is over
CLOSE = 5  # lines within which someone goes on without saying to whom
ANYONE = "*"  # in `roles`, every speaker that is not named
BRACKETED = re.compile(
    r"^(?:\[?(?P<at>\d[\dT:./ -]*?)\]?\s+)?<[ @+%&~]?(?P<who>[^>\s]+)>\s?(?P<said>.*)$"
)
NAMED = re.compile(r"^(?:\[(?P<at>[^\]]*)\]\s*)?(?P<who>[^:<>\[\]]{1,60}):(?:\s+(?P<said>.*))?$")
ADDRESS = re.compile(r"^(?P<to>[^\s:,]+)[:,]\s+(?P<said>\S.*)$")
NAMES, TIMES = "names of speakers", "times of lines"  # that no row keeps
NAMES_AT_MOST = 2  # words of a name
NOTES = frozenset(  # what sentences begin with before a colon
    [
        *("note", "notes", "warning", "error", "example", "answer", "question", "hint", "tip"),
        *("update", "edit", "subject", "re", "fwd", "ps", "summary", "result", "http", "https"),
    ]
)
Rows = Iterator[Record | Refused]


def talks(path: Path, name: str, roles: Mapping[str, str], unused: Counter[str]) -> Rows:
    """The conversations of a file as rows of the `messages` layout.

    `unused` counts the lines that are in none.

    Raises: RowError if the file as a whole cannot be read.
    """
    with opened(path, name) as stream:
        if roles:
            yield from _Blocks(roles=roles, unused=unused).rows(stream)
        else:
            yield from _Channel(unused=unused).rows(stream)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blocks:
    """Conversations between blank lines, each speaker with a role."""

    roles: Mapping[str, str]
    unused: Counter[str]

    def rows(self, lines: Iterable[bytes]) -> Rows:
        """The conversations as rows."""
        block: list[str] = []
        begin = 1
        for number, raw in enumerate(lines, start=1):
            line = _decoded(raw)
            if line.strip():
                begin = begin if block else number
                block.append(line)
            elif block:
                yield self._conversation(block, begin)
                block = []
        if block:
            yield self._conversation(block, begin)

    def _conversation(self, block: list[str], line: int) -> Record | Refused:
        """One block's turns; a line without a speaker goes on with what was said before."""
        shown = _shown(block)
        if shown != "\n".join(block):
            problem = "the conversation is not UTF-8"
            return Refused(line=line, reason=Reason.INVALID_ENCODING, problem=problem, text=shown)
        turns: list[dict[str, str]] = []
        lost: Counter[str] = Counter()
        for offset, text in enumerate(block):
            found = BRACKETED.match(text) or NAMED.match(text)
            who = found["who"].strip() if found else ""
            role = self.roles.get(who) or (self.roles.get(ANYONE) if found else None)
            if role is not None and found is not None:
                _say(turns, role, found["said"] or "")
                lost.update({NAMES: 1, TIMES: bool(found["at"])})
            elif turns and not _speaks(found):
                _say(turns, turns[-1]["role"], text)
            else:
                problem = f"line {line + offset}: no role for `{who or text[:40]}` in `roles`"
                return Refused(line=line, reason=Reason.INVALID_ROLE, problem=problem, text=shown)
        self.unused.update({what: count for what, count in lost.items() if count})
        return Record(line=line, value={"messages": turns}, text=shown)


def _speaks(found: re.Match[str] | None) -> bool:
    """Whether a line is somebody's own and not more of what was said: a colon stands in
    sentences, too, but behind a time, or behind one or two names, speaks a person."""
    if found is None or found.re is BRACKETED or found["at"] is not None:
        return found is not None
    names = found["who"].split()
    return len(names) <= NAMES_AT_MOST and all(
        name[0].isupper() and name.isalpha() and name.lower() not in NOTES for name in names
    )


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", errors="surrogateescape").rstrip("\r\n")


def _shown(lines: Iterable[str]) -> str:
    """Lines as they can be written; bytes that are not UTF-8 as `\\xe9`."""
    whole = "\n".join(lines)
    return whole.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _say(turns: list[dict[str, str]], role: str, said: str) -> None:
    """Adds a turn; whoever goes on speaking has one turn."""
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += f"\n{said}"
    else:
        turns.append({"role": role, "content": said})


@dataclass(slots=True, kw_only=True)
class _Exchange:
    """What two people of a channel say to each other."""

    asks: str
    answers: str
    said: list[tuple[int, str, str]]  # line, who, what
    last: int  # its latest line

    def row(self, unused: Counter[str]) -> Record | Refused | None:
        """Its row up to the last answer, None where there is none."""
        while self.said and self.said[-1][1] != self.answers:
            self.said.pop()
            unused["lines after the last answer"] += 1
        if not self.said:
            return None
        lines = [f"<{who}> {what}" for _, who, what in self.said]
        if (shown := _shown(lines)) != "\n".join(lines):
            problem = "the exchange is not UTF-8"
            at = self.said[0][0]
            return Refused(line=at, reason=Reason.INVALID_ENCODING, problem=problem, text=shown)
        turns: list[dict[str, str]] = []
        for _, who, what in self.said:
            _say(turns, "user" if who == self.asks else "assistant", what)
        value: dict[str, Any] = {"messages": turns, "author": self.answers}
        value |= {"consent_key": self.asks, "lines": f"{self.said[0][0]}-{self.said[-1][0]}"}
        return Record(line=self.said[0][0], value=value, text="")


@dataclass(slots=True, kw_only=True)
class _Channel:
    """Exchanges of a channel, in the order in which they end; a window of lines is kept."""

    unused: Counter[str]
    open: dict[frozenset[str], _Exchange] = field(default_factory=dict)
    waiting: dict[str, list[tuple[int, str, str]]] = field(default_factory=dict)  # said to no one
    heard: dict[str, int] = field(default_factory=dict)  # the latest line of each speaker

    def rows(self, lines: Iterable[bytes]) -> Rows:
        """The exchanges as rows."""
        for number, raw in enumerate(lines, start=1):
            line = _decoded(raw)
            found = BRACKETED.match(line)
            if found is not None and found["said"].strip():
                self._hear(number, found["who"], found["said"].strip())
                self.unused.update({TIMES: 1} if found["at"] else {})
            elif line.strip():
                self.unused["notices"] += 1
            yield from self._ended(number)
        yield from self._ended(None)

    def _hear(self, number: int, who: str, said: str) -> None:
        self.heard[who] = number
        found = ADDRESS.match(said)
        to = found["to"] if found else ""
        if found is None or to == who or to not in self.heard:
            self._aside(number, who, said)
            return
        exchange = self.open.get(frozenset((who, to)))
        if exchange is None and to in self.waiting:
            asked = self.waiting.pop(to)
            exchange = _Exchange(asks=to, answers=who, said=asked, last=number)
            self.open[frozenset((who, to))] = exchange
        if exchange is None:
            self.unused["lines to someone who asked nothing"] += 1
            return
        exchange.said.append((number, who, found["said"]))
        exchange.last = number

    def _aside(self, number: int, who: str, said: str) -> None:
        """What is said to no one: more of the exchange just spoken in, or a new question."""
        own = [one for pair, one in self.open.items() if who in pair]
        near = [one for one in own if number - one.last <= CLOSE]
        if len(near) == 1:
            near[0].said.append((number, who, said))
            near[0].last = number
        else:
            self.waiting.setdefault(who, []).append((number, who, said))

    def _ended(self, number: int | None) -> Rows:
        """The exchanges that are over at a line, or at the end."""
        for pair, exchange in list(self.open.items()):
            if number is None or number - exchange.last > WINDOW:
                row = self.open.pop(pair).row(self.unused)
                yield from [row] if row else []
        for who, said in list(self.waiting.items()):
            if number is None or number - said[-1][0] > WINDOW:
                self.unused["lines no one answered by name"] += len(self.waiting.pop(who))
        for who, at in list(self.heard.items()):
            if number is not None and number - at > WINDOW:
                del self.heard[who]
