"""Safety exemplars of a policy: what a team's assistant does not do, as rows that teach it.

A policy is a YAML file of topics. Each has requests that are not to be carried out, what is said
to them (a refusal, a deflection, a safe alternative), and benign twins: requests that only look
so, with their answers. Without twins a model learns to refuse whatever looks alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tutelage.core.digest import short_digest
from tutelage.core.errors import RecipeError, RowError
from tutelage.core.ledger import Reason
from tutelage.core.recipe.positions import Document, Loc, read
from tutelage.store.ingest.fault import Fault, column, listed, mapping, nearest, text
from tutelage.store.ingest.opened import opened
from tutelage.store.ingest.records import Record, Refused

SAYS = ("refusal", "deflection", "alternative")  # what may be said to a request not carried out
BENIGN = "benign"
KINDS = (*SAYS, BENIGN)  # values of the tag `safety`
SAFETY, TOPIC = "safety", "topic"  # tags
KEYS = ("topic", "asked", *SAYS, "twins")
TWIN = ("user", "assistant")
Rows = Iterator[Record | Refused]


def exemplars(path: Path, name: str) -> Rows:
    """The rows of a policy file in the `messages` layout, each with its line, in their order.

    Of the texts a topic has for its requests one goes to each, by a hash of the request: a
    request that is added changes no other's answer.

    Raises: RowError if the file as a whole cannot be read.
    """
    document = _read(path, name)
    content = document.content
    if not isinstance(content, dict) or not isinstance(content.get("topics"), list):
        raise RowError("a policy has a list `topics`", where=name, expected="`topics: [...]`")
    unknown = [key for key in content if key not in ("system", "topics")]
    if unknown:
        known = nearest(str(unknown[0]), ("system", "topics"))
        raise RowError(f"unknown key `{unknown[0]}`; {known}", where=name)
    try:
        written = content.get("system")
        system = None if written is None else _said(written, "`system`")
    except Fault as fault:
        raise RowError(fault.message, where=name) from None
    for number in range(len(content["topics"])):
        yield from _Topic(document=document, at=("topics", number), system=system).rows()


def _read(path: Path, name: str) -> Document:
    with opened(path, name) as stream:
        content = stream.read()
    try:
        return read(content.decode("utf-8"), name)
    except UnicodeDecodeError as error:
        raise RowError(f"not UTF-8 at byte {error.start}", where=name) from error
    except RecipeError as error:
        raise RowError(error.message, where=error.where, hint=error.hint, rows=error.rows) from None


class _Topic:
    """One topic's rows."""

    def __init__(self, *, document: Document, at: Loc, system: str | None) -> None:
        self.document = document
        self.at = at
        self.system = system

    def rows(self) -> Rows:
        """A row a request, or what is wrong: with the topic as a whole, or with one of it."""
        written: Any = self.document.content["topics"][self.at[-1]]
        try:
            topic, said = _whole(written)
        except Fault as fault:
            yield self._refused((), fault)
            return
        for number, asked in enumerate(topic["asked"]):
            try:
                kind, answer = _drawn(said, _said(asked, "a request of `asked`"))
                yield self._row(("asked", number), (asked, answer), (topic["topic"], kind))
            except Fault as fault:
                yield self._refused(("asked", number), fault)
        for number, twin in enumerate(topic["twins"]):
            try:
                yield self._row(("twins", number), _twin(twin), (topic["topic"], BENIGN))
            except Fault as fault:
                yield self._refused(("twins", number), fault)

    def _row(self, place: Loc, turns: tuple[str, str], tags: tuple[str, str]) -> Record:
        asked, answer = turns
        messages = [] if self.system is None else [{"role": "system", "content": self.system}]
        messages.append({"role": "user", "content": asked})
        messages.append({"role": "assistant", "content": answer})
        value = {"messages": messages, TOPIC: tags[0], SAFETY: tags[1]}
        return Record(line=self._line(place), value=value, text="")

    def _refused(self, place: Loc, fault: Fault) -> Refused:
        shown: Any = self.document.content
        for step in (*self.at, *place):
            shown = shown[step]
        return Refused(
            line=self._line(place), reason=fault.reason, problem=fault.message, text=str(shown)
        )

    def _line(self, place: Loc) -> int:
        found = self.document.place((*self.at, *place))
        return found.line if found is not None else 1


def _whole(written: Any) -> tuple[Mapping[str, Any], list[tuple[str, str]]]:
    """A topic, and what it says to its requests: kinds and texts.

    Raises: Fault.
    """
    topic = mapping(written, "a topic")
    for key in topic:
        if key not in KEYS:
            problem = f"unknown key `{key}` of a topic; {nearest(str(key), KEYS)}"
            raise Fault(Reason.UNKNOWN_FIELD, problem)
    _said(column(topic, "topic"), "`topic`")
    if not listed(column(topic, "asked"), "`asked`"):
        raise Fault(Reason.MISSING_FIELD, "`asked` is empty; expected requests not carried out")
    if "twins" not in topic:
        hint = "expected benign requests that look like these, or `twins: []` to do without"
        raise Fault(Reason.MISSING_FIELD, f"no `twins`; {hint}")
    listed(topic["twins"], "`twins`")
    said = [
        (kind, _said(one, f"a text of `{kind}`"))
        for kind in SAYS
        for one in listed([] if topic.get(kind) is None else topic[kind], f"`{kind}`")
    ]
    if not said:
        problem = f"nothing is said to its requests; expected {', '.join(SAYS)} or some of them"
        raise Fault(Reason.EMPTY_RESPONSE, problem)
    return topic, said


def _said(value: Any, what: str) -> str:
    """Text that can be written.

    Raises: Fault for what is none, and for half of a sign, as JSON's `\\ud83d` is.
    """
    found = text(value, what)
    try:
        found.encode()
    except UnicodeEncodeError:
        raise Fault(Reason.INVALID_ENCODING, f"{what} has half of a UTF-16 pair") from None
    return found


def _drawn(said: list[tuple[str, str]], asked: str) -> tuple[str, str]:
    """The text whose hash with the request is least: one that is added takes only its share."""
    return min(said, key=lambda one: short_digest(f"{asked}\n{one[1]}".encode()))


def _twin(written: Any) -> tuple[str, str]:
    twin = mapping(written, "one of `twins`")
    for key in twin:
        if key not in TWIN:
            problem = f"unknown key `{key}` of a twin; {nearest(str(key), TWIN)}"
            raise Fault(Reason.UNKNOWN_FIELD, problem)
    return _said(column(twin, "user"), "`user`"), _said(column(twin, "assistant"), "`assistant`")
