"""Rows that are alike in sides of theirs, however many rows: bands on disk, pairs verified by part.

What `screen.near` does of texts in memory, done of rows that are not: sketches are made part by
part and their bands laid aside, candidates chosen a band at a time, and each pair verified by
whoever works on the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tutelage.curate.packed import Packed, Words
from tutelage.curate.passes import Passes
from tutelage.curate.shelf import Rows, nameless
from tutelage.curate.sides import Sides, compared, numbers, whole
from tutelage.curate.signs import signs, unlike_signs
from tutelage.curate.traits import firsts, known, sampled, worded
from tutelage.screen.minhash import BANDS, Sketch, candidates
from tutelage.screen.near import (
    Pairs,
    Side,
    bare_of,
    side,
    sketched_of,
    spread,
    twins_of,
    verified,
)
from tutelage.screen.ngrams import Hashes, Indices

SIDES = ("requests", "contexts", "said")  # the keys of request, context and answer
PAIRS_AT_ONCE = 1 << 13  # of which the rows travel together
EXCHANGED = 0.05  # share of a text's words that may give way to others


class Banded:
    """Bands of rows for several groups of sides, in a file without a name or in memory."""

    def __init__(self, groups: int, folder: Path | None) -> None:
        self._file = nameless(folder)
        self._counts: list[int] = []
        self._present: list[NDArray[np.bool_]] = []
        self._rows = groups * BANDS

    def add(self, sketched: NDArray[np.uint32]) -> None:
        """Those of a part, as `Sketching` gives them."""
        self._file.write(np.ascontiguousarray(sketched[:, :-1]).tobytes())
        self._counts.append(sketched.shape[2])
        self._present.append(sketched[:, -1].astype(np.bool_))

    def present(self, group: int) -> NDArray[np.bool_]:
        """Which rows have a shingle in a group of sides."""
        return np.concatenate([one[group] for one in self._present])

    def bands(self, group: int) -> Iterator[Sketch]:
        """Each band of a group, one at a time."""
        for band in range(group * BANDS, (group + 1) * BANDS):
            begin, found = 0, []
            for count in self._counts:
                self._file.seek((begin * self._rows + band * count) * 4)
                found.append(np.frombuffer(self._file.read(count * 4), dtype=np.uint32))
                begin += count
            yield np.concatenate(found)

    def close(self) -> None:
        """Lets go of the file, which is then gone."""
        self._file.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketching:
    """The bands of a part's rows: `[groups, BANDS + 1, rows]`, last whether there is a shingle."""

    spans: tuple[Hashes, ...]  # of each side, runs that are fixed text
    often: tuple[frozenset[str], ...]  # of each side, texts that many have word for word
    groups: tuple[tuple[int, ...], ...]

    def __call__(self, part: Packed) -> NDArray[np.uint32]:
        looked = [
            replace(own, often=often)
            for own, often in zip(_sides(part.words(), self.spans), self.often, strict=True)
        ]
        sketched = sketched_of(looked, self.groups)
        return np.stack(
            [
                np.concatenate([banded, present[None].astype(np.uint32)])
                for banded, present in zip(sketched.banded, sketched.present, strict=True)
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifying:
    """The Jaccard index of pairs of rows in the side of a group that is least alike."""

    spans: tuple[Hashes, ...]
    group: tuple[int, ...]
    threshold: float

    def __call__(self, part: Packed) -> NDArray[np.float64]:
        looked = _sides(part.words(), self.spans)
        chosen = [(looked[one].texts, bare_of(looked[one])) for one in self.group]
        return verified(chosen, part.more, self.threshold)


class TellingApart:
    """Which pairs of rows that are alike by shingles still say different things."""

    def __call__(self, part: Packed) -> NDArray[np.bool_]:
        examples = part.texts()
        looks = compared(examples)
        words: dict[str, Counted] = {}
        counted = [numbers(one) for one in examples]
        signed = [signs(whole(one)) for one in examples]
        return np.array(
            [
                counted[one] != counted[other]
                or unlike_signs(signed[one], signed[other])
                or differ(looks, one, other, words)
                for one, other in part.more.tolist()
            ],
            dtype=np.bool_,
        )


class Counted(NamedTuple):
    """How often each word stands in a text, and how many there are."""

    words: Counter[str]
    total: int

    @classmethod
    def of(cls, text: str) -> Counted:
        """Those of a text."""
        said = text.split()
        return cls(Counter(said), len(said))


def differ(looks: Sides, one: int, other: int, words: dict[str, Counted]) -> bool:
    """Whether rows that are alike by shingles and numbers still say different things.

    Where the answer is a value or a few words, a label, what it answers may differ in no word.
    `words` are those of texts that were looked at before; a text is in many pairs.
    """
    if looks.chosen[one] != looks.chosen[other]:
        return True  # a pair the other way round says the opposite
    label = " " not in looks.answer[one]
    compared = (looks.request, looks.context, looks.answer)
    most = (0.0 if label else EXCHANGED, 0.0 if label else EXCHANGED, EXCHANGED)
    for texts, share in zip(compared, most, strict=True):
        if texts[one] != texts[other]:
            said, told = (_counted(texts[index], words) for index in (one, other))
            if _exchanged(said, told) > share:
                return True
    return False


def _counted(text: str, words: dict[str, Counted]) -> Counted:
    if text not in words:
        words[text] = Counted.of(text)
    return words[text]


def _exchanged(one: Counted, other: Counted) -> float:
    """The share of words that stand in one text and for which the other has different ones."""
    there = other.words.get
    gone = 0  # words of the one that the other has not, as often as they are missing
    for word, times in one.words.items():
        if times > (others := there(word, 0)):
            gone += times - others
    swapped = min(gone, gone + other.total - one.total)
    return swapped / max(one.total, other.total, 1)


def alike(
    rows: Rows, groups: Sequence[tuple[int, ...]], threshold: float, passes: Passes, name: str
) -> list[Pairs]:
    """For each group of sides (0 request, 1 context, 2 answer) the pairs alike in every one of it.

    Rows that others should be compared with stand first. `name` is that of the finished parts.
    """
    if not len(rows):
        return [_no_pairs() for _ in groups]
    last = max(max(group) for group in groups)
    words = worded(rows)
    looked = _looked(words.packed(sampled(rows)).words(), SIDES[: last + 1])
    spans, often = tuple(one.spans for one in looked), tuple(one.often for one in looked)
    sketching = Sketching(spans=spans, often=often, groups=tuple(groups))
    banded = Banded(len(groups), passes.folder)
    try:
        for made in passes.arrays(name, sketching, words):
            banded.add(made)
        return [
            _pairs(rows, banded, number, Verifying(spans=spans, group=group, threshold=threshold),
                   passes)
            for number, group in enumerate(groups)
        ]  # fmt: skip
    finally:
        banded.close()


def unlike(rows: Rows, pairs: Indices, passes: Passes) -> NDArray[np.bool_]:
    """Which pairs, alike by shingles, still say different things. Shapes: `[P, 2]` to `[P]`."""
    told = list(passes.over(TellingApart(), _paired(rows, pairs)))
    return np.concatenate([np.zeros(0, dtype=np.bool_), *told])


def _pairs(rows: Rows, banded: Banded, number: int, verifying: Verifying, passes: Passes) -> Pairs:
    present, told = banded.present(number), known(rows)
    same = [firsts(getattr(told, SIDES[one])[rows.places]) for one in verifying.group]
    twins = twins_of(same, present)
    own = np.flatnonzero(present & (twins == np.arange(len(twins))))
    pairs = candidates(banded.bands(number), own)
    checked = list(passes.over(verifying, _paired(worded(rows), pairs)))
    least = np.concatenate([np.zeros(0), *checked])
    close = least >= verifying.threshold
    return spread(pairs[close], least[close], twins)


def _paired(rows: Rows, pairs: Indices) -> Iterator[Packed]:
    """The rows of some pairs at a time, once each, with the pairs among them."""
    ordered = [*range(0, len(pairs), PAIRS_AT_ONCE), len(pairs)]
    for begin, end in pairwise(ordered):
        held, within = np.unique(pairs[begin:end], return_inverse=True)
        yield rows.packed(held, more=within.reshape(-1, 2), first=begin)


def _sides(words: Sequence[Words], spans: Sequence[Hashes]) -> list[Side]:
    """The sides of rows that `spans` are known of."""
    return [
        Side(texts=texts, spans=own)
        for texts, own in zip(_texts(words)[: len(spans)], spans, strict=True)
    ]


def _looked(words: Sequence[Words], named: Sequence[str]) -> list[Side]:
    """The sides of a sample, with what is fixed text in each."""
    return [
        side(texts, context=name == "contexts")
        for name, texts in zip(named, _texts(words), strict=False)
    ]


def _texts(words: Sequence[Words]) -> list[list[str]]:
    return [
        [one.request for one in words],
        [one.context for one in words],
        [one.answer for one in words],
    ]


def _no_pairs() -> Pairs:
    none: Any = np.zeros(0, dtype=np.int64)
    return Pairs(first=none, second=none, jaccard=np.zeros(0))
