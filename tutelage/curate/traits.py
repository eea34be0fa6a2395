"""What is kept of every row in memory, in few bytes: keys, places and ranks, never words."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import xxhash
from numpy.typing import NDArray

from tutelage.core.row import Example, Origin
from tutelage.curate.packed import Packed
from tutelage.curate.shelf import Rows
from tutelage.curate.sides import Sides, compared, keys
from tutelage.screen.fixed import SAMPLED
from tutelage.screen.ngrams import Indices, mix

Keys = NDArray[np.uint64]  # [N, 2], 128 bits each, ordered as their hexadecimal digits are
ID_DIGITS = 32
PREFERRED: tuple[Origin, ...] = ("human", "human_edited", "log", "synthetic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A row as entries of the ledger name it."""

    id: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What is known of each row. Shapes: each `[N]`, keys `[N, 2]`; `uris` is of any size."""

    ids: Keys
    prompts: Keys  # by which all that stands before the answer is the same
    answers: Keys
    requests: Keys  # of the comparable words of each side
    contexts: Keys
    said: Keys
    lines: NDArray[np.int64]
    uri: NDArray[np.int32]  # which of `uris`
    ranks: NDArray[np.uint8]  # of the origin, those that rather stay first
    quality: NDArray[np.float64]
    paired: NDArray[np.bool_]  # a preference row
    uris: list[str]

    def name(self, place: int) -> Named:
        """The row of a place."""
        uri, line = self.uris[int(self.uri[place])], int(self.lines[place])
        high, low = self.ids[place].tolist()
        return Named(id=f"{high:016x}{low:016x}", source=f"{uri}:{line}" if line else uri)

    def names(self, places: Indices) -> tuple[list[str], list[str]]:
        """The ids of many rows, and where each was read."""
        digits = self.ids[places].astype(">u8").tobytes().hex()
        ids = [digits[at : at + ID_DIGITS] for at in range(0, len(digits), ID_DIGITS)]
        read = zip(self.uri[places].tolist(), self.lines[places].tolist(), strict=True)
        return ids, [f"{self.uris[uri]}:{line}" if line else self.uris[uri] for uri, line in read]


def traits_of(examples: Sequence[Example], looks: Sides | None = None) -> Traits:
    """Those of rows in memory; `looks` are their sides, where these are known."""
    looks = compared(examples) if looks is None else looks
    prompts, answers = keys(examples)
    uris: dict[str, int] = {}
    return Traits(
        ids=_keys([bytes.fromhex("".join([one.id for one in examples]))]),
        prompts=_keys(prompts),
        answers=_keys(answers),
        requests=keys_of(looks.request),
        contexts=keys_of(looks.context),
        said=keys_of(looks.answer),
        lines=np.array([one.source.line for one in examples], np.int64),
        uri=np.array([uris.setdefault(one.source.uri, len(uris)) for one in examples], np.int32),
        ranks=np.array([PREFERRED.index(one.origin) for one in examples], np.uint8),
        quality=np.array([_quality(one) if one.tags else one.weight for one in examples]),
        paired=np.array([bool(one.chosen) for one in examples], np.bool_),
        uris=list(uris),
    )


def joined(parts: Sequence[Traits]) -> Traits:
    """Those of parts, one after another."""
    uris: dict[str, int] = {}
    moved = []
    for part in parts:
        codes = [uris.setdefault(uri, len(uris)) for uri in part.uris]
        moved.append(np.array(codes, np.int32)[part.uri])
    whole = {
        one.name: np.concatenate([getattr(part, one.name) for part in parts])
        for one in fields(Traits)
        if one.name not in ("uri", "uris")
    }
    return Traits(**whole, uri=np.concatenate(moved), uris=list(uris))


def known(rows: Rows) -> Traits:
    """The traits of all rows of a shelf, by place; found out where nobody has."""
    if rows.shelf.traits is None:
        whole = Rows(rows.shelf, np.arange(len(rows.shelf)))
        parts = [traits_of(part.texts()) for part in whole.parts()]
        rows.shelf.traits = joined(parts or [traits_of([])])
    found: Traits = rows.shelf.traits
    return found


def worded(rows: Rows) -> Rows:
    """The rows' sides in comparable words, as `Packed.words` gives them; made where nobody has."""
    words = rows.shelf.words
    if words is None:
        words = rows.shelf.with_words()
        for part in Rows(rows.shelf, np.arange(len(rows.shelf))).parts():
            words.extend(compared(part.texts()).lines())
    return Rows(words, rows.places)


def with_words(rows: Rows, size: int) -> Iterator[Packed]:
    """The rows, so many at a time, with the words that `Packed.beside` gives."""
    for part, words in zip(rows.parts(size), worded(rows).parts(size), strict=True):
        yield replace(part, more=words.lines)


def named(rows: Rows, index: int) -> Named:
    """A row as entries of the ledger name it."""
    return known(rows).name(int(rows.places[index]))


def keys_of(texts: Sequence[str]) -> Keys:
    """A key for each text, the same for the same text."""
    return _keys([xxhash.xxh3_128_digest(text.encode(errors="surrogatepass")) for text in texts])


def _keys(digests: Sequence[bytes]) -> Keys:
    found = np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)
    return found.reshape(-1, 2)


def firsts(keys: NDArray[np.uint64]) -> Indices:
    """The index of the first row whose keys are equal to each. Shapes: `[N, K]`; returns `[N]`."""
    mixed = functools.reduce(lambda one, other: mix(one) + other, keys.T)
    order = np.argsort(mixed)
    ordered = keys[order]
    opens = np.concatenate([[True], np.diff(mixed[order]) != 0])[: len(order)]
    unlike = (ordered[1:] != ordered[:-1]).any(axis=1)
    if (unlike != opens[1:]).any():  # unlike keys are mixed into one number, which hardly happens
        order = np.lexsort(keys.T)
        ordered = keys[order]
        opens[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    found = np.empty(len(order), dtype=np.int64)
    if len(order):
        least = np.minimum.reduceat(order, np.flatnonzero(opens))
        found[order] = least[np.cumsum(opens) - 1]
    return found


def sampled(rows: Rows, most: int = SAMPLED) -> Indices:
    """Indices of so many rows at most, ascending: those with the least ids, in whatever order.

    An id is a digest, so that neither the order of a file nor a rhythm in it matters.
    """
    if len(rows) <= most:
        return np.arange(len(rows))
    ids = known(rows).ids[rows.places]
    return np.sort(np.lexsort((ids[:, 1], ids[:, 0]))[:most])


def preference(rows: Rows) -> Indices:
    """Indices of the rows, those that rather stay first."""
    told = known(rows)
    return np.lexsort((-told.quality[rows.places], told.ranks[rows.places]))


def _quality(example: Example) -> float:
    """The number of the tag `quality` where a row has one; else what its weight says."""
    written = example.tags.get("quality")
    if written is None:
        return example.weight
    try:
        value = float(written)
    except ValueError:
        return example.weight
    return value if math.isfinite(value) else example.weight
