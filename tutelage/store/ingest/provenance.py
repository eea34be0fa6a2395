"""Where a row comes from, by the row itself or by its source, and what must be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tutelage.core import licence as licences
from tutelage.core.ledger import Reason
from tutelage.core.recipe import Columns, GeneratedBy, Reading, SourceFile
from tutelage.core.review import ACCEPTED, FIELDS, Review
from tutelage.core.row import ORIGINS, Example, Generator, Origin
from tutelage.store.ingest.fault import (
    Fault,
    column,
    listed,
    mapping,
    nearest,
    optional_text,
    refuse_unknown,
    text,
)

PLACES = ("licence_basis", "consent_key", "editor")  # of the canonical row, each one text
CANONICAL = ("origin", "licence", "license", "parents", "weight", "author", "generator", *PLACES)
SAYS = frozenset(CANONICAL)
NONE = Columns()
OF_EVENT = "event:"  # begins the uri of a row made from an event


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the recipe says of all rows of a source."""

    origin: Origin = "human"
    licence: str = ""
    licence_basis: str | None = None
    author: str | None = None  # a column
    generator: Generator | None = None
    editor: str | None = None
    columns: Columns = NONE
    taught: bool = False  # whether all that must be said of a row is asked for

    @classmethod
    def by(cls, reading: Reading) -> Given:
        """What a source's section says; of a suite's rows nothing is asked."""
        if not isinstance(reading, SourceFile):
            return cls()
        return cls(
            origin=reading.origin,
            licence=reading.licence,
            licence_basis=reading.licence_basis,
            author=reading.author,
            generator=None if reading.generator is None else _said(reading.generator),
            editor=reading.editor,
            columns=reading.columns if reading.columns.model_fields_set else NONE,
            taught=True,
        )

    def of_all(self) -> Whence:
        """What is said of a row that says nothing itself."""
        return Whence(
            origin=self.origin,
            licence=self.licence,
            licence_basis=self.licence_basis,
            generator=self.generator,
            editor=self.editor,
        )

    def named(self) -> dict[str, str]:
        """The columns the recipe names, by what they say."""
        found = {}
        if self.columns is not NONE:
            found = {name: place for name, place in self.columns if place is not None}
        return found if self.author is None else {**found, "author": self.author}


def _said(by: GeneratedBy) -> Generator:
    return Generator.from_dict(by.model_dump(mode="json"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Whence:
    """What is said of one row beside its content."""

    origin: Origin
    licence: str
    licence_basis: str | None = None
    author: str | None = None
    consent_key: str | None = None
    generator: Generator | None = None
    editor: str | None = None
    parents: tuple[str, ...] = ()
    weight: Any = None
    used: frozenset[str] = field(default=frozenset())  # columns that are therefore no tags


def whence(row: dict[str, Any], given: Given, own: bool) -> Whence:
    """What a row and its source say; `own` if the row's layout has the canonical columns.

    Raises: Fault for what is not what it must be.
    """
    named = given.named()
    if not named and (not own or SAYS.isdisjoint(row)):
        return given.of_all()  # as it is of most rows
    said: dict[str, Any] = {}
    if own:
        said = {name: row[name] for name in CANONICAL if row.get(name) is not None}
        if "licence" in said and "license" in said:
            raise Fault(Reason.MISSING_LICENCE, "it has `licence` and `license`; expected one")
        said.setdefault("licence", said.pop("license", None))
    for name, place in named.items():
        value = _at(row, place)
        if value is not None or name == "author":
            said[name] = value
    what = {name: f"column `{place}`" for name, place in named.items()}
    texts = {
        name: optional_text(said.get(name), what.get(name, f"`{name}`"))
        for name in ("licence", "author", *PLACES)
    }
    parents = said.get("parents", [])
    parents = [parents] if isinstance(parents, str) else listed(parents, "`parents`")
    made = said.get("generator")
    return Whence(
        origin=_origin(said.get("origin", given.origin)),
        licence=texts["licence"] or given.licence,
        licence_basis=texts["licence_basis"] or given.licence_basis,
        author=texts["author"],
        consent_key=texts["consent_key"],
        generator=given.generator if made is None else _generator(made),
        editor=texts["editor"] or given.editor,
        parents=tuple(text(parent, "one of `parents`") for parent in parents),
        weight=said.get("weight"),
        used=frozenset((*(CANONICAL if own else ()), *named.values())),
    )


def _at(row: dict[str, Any], place: str) -> Any:
    """The value of a column, or of a key inside one: `a.b`."""
    if place in row or "." not in place:
        return column(row, place)
    value: Any = row
    for name in place.split("."):
        if not isinstance(value, Mapping):
            return None
        if name not in value and value is row:
            raise Fault(Reason.MISSING_FIELD, f"no column `{place}`; {nearest(name, row)}")
        value = value.get(name)
    return value


def _origin(value: object) -> Origin:
    if value not in ORIGINS:
        raise Fault(
            Reason.MISSING_ORIGIN, f"origin `{value}`; expected one of {', '.join(ORIGINS)}"
        )
    return value


def _generator(value: object) -> Generator:
    if isinstance(value, str):
        return Generator(model=value)
    form = mapping(value, "`generator`")
    refuse_unknown(form, ("model", "prompt_digest", "parameters", "seed", "licence"), "`generator`")
    seed = form.get("seed")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise Fault(Reason.WRONG_TYPE, "`seed` of `generator` is no whole number")
    if seed is not None and not -(2**63) <= seed < 2**63:
        problem = f"`seed` of `generator` is {seed}; expected a number of 64 bits with its sign"
        raise Fault(Reason.WRONG_TYPE, problem)
    for name in ("prompt_digest", "licence"):
        optional_text(form.get(name), f"`{name}` of `generator`")
    text(form.get("model"), "`model` of `generator`")
    mapping(form.get("parameters") or {}, "`parameters` of `generator`")
    return Generator.from_dict(form)


def reviews_of(row: dict[str, Any]) -> tuple[Review, ...]:
    """What people decided on one of our own rows.

    Raises: Fault for what is no review.
    """
    found = []
    for one in listed(row.get("reviews") or [], "`reviews`"):
        form = mapping(one, "one of `reviews`")
        refuse_unknown(form, FIELDS, "one of `reviews`")
        for name in FIELDS:
            text(column(form, name), f"`{name}` of one of `reviews`")
        if form["decision"] not in ACCEPTED:
            problem = f"a review decides `{form['decision']}`; expected {' or '.join(ACCEPTED)}"
            raise Fault(Reason.WRONG_TYPE, problem)
        found.append(Review.from_dict(form))
    return tuple(found)


def must_say(example: Example) -> None:
    """Refuses a row that does not say enough of where it comes from.

    A row made from an event is known by it: the journal leads on to who wrote and edited it.

    Raises: Fault.
    """
    if problem := licences.problem(example.licence):
        raise Fault(Reason.UNKNOWN_LICENCE, f"licence: {problem}")
    made = example.generator
    if (
        made is not None
        and made.licence is not None
        and (problem := licences.problem(made.licence))
    ):
        raise Fault(Reason.UNKNOWN_LICENCE, f"licence of the generator: {problem}")
    if example.origin == "synthetic" and made is None:
        raise Fault(
            Reason.MISSING_GENERATOR,
            "it is synthetic and nobody says what wrote it; expected a `generator`",
        )
    if example.origin != "human_edited" or example.source.uri.startswith(OF_EVENT):
        return
    lacks = [name for name in ("editor", "parents") if not getattr(example, name)]
    if lacks:
        named = " and ".join(f"`{name}`" for name in lacks)
        raise Fault(
            Reason.MISSING_EDITOR,
            f"it is human_edited and has no {named}; expected who edited it and what",
        )
