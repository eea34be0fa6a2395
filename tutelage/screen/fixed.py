"""Fixed text: runs of words that many texts share and that say nothing of any one of them.

An instruction stands before many requests, a greeting in many answers. Copies of one text share
runs of words as well. What tells them apart is the rest: where texts that hold a run consist of
little else than what they share, they are copies; where much of each is its own, the run is an
instruction. What a quarter of all texts has, or 250 of those looked at, is fixed text in any case,
save where the little of their own stands anywhere in them: a request stands behind its instruction,
but a word is exchanged here in one copy and there in the next.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray

from tutelage.screen.ngrams import FIXED_TEXTS, Grams, Hashes, Indices, among, fixed

OWN = 0.05  # share of a text's words, beyond which it is more than a copy
ANYHOW = 0.25  # share of the texts with the same run, which is then fixed text
ANYHOW_LEAST, ANYHOW_MOST = 20, 250  # but so many texts at least, and so many in any case
SAMPLED = 8_192  # texts that are enough to know fixed text by
STRETCHES = 20  # of equal length, in one of which the most of a text's own words stand
ONE_PLACE = 1 / 6  # share of the texts with a run that have theirs in the same, if it is no copy
FEW_ITEMS = 6  # of which two with the same run are several, else three


def fixed_text(
    grams: Grams,
    n: int,
    owner: Indices | None = None,
    least: int = FIXED_TEXTS,
    *,
    edited: bool = False,
) -> Hashes:
    """Hashes of the runs of n words that are fixed text, sorted.

    `owner` is whose each text is, where several texts are one's; `least` so many share a run.
    With `edited`, which asks for one text of each owner, a crowd of copies with words exchanged
    makes none.

    Shapes: `grams` ordered by text and place, `owner` `[texts]`.
    """
    owner = np.arange(grams.texts) if owner is None else owner
    by_owner = _owned(grams, owner)
    shared = fixed(by_owner, least)
    hit = among(grams.hashes, shared)
    if not hit.any():
        return shared
    own = _own(grams, hit, n, owner)
    held = by_owner.take(hit).distinct()
    order = np.lexsort((own[held.text], held.hashes))
    hashes, opens, counts = np.unique(held.hashes[order], return_index=True, return_counts=True)
    middle = own[held.text[order]][opens + counts // 2]
    anyhow = counts >= _anyhow(by_owner.texts)
    if edited and (anyhow & (middle <= OWN)).any():
        most = _in_one_place(held, _places(grams, hit, n))
        anyhow &= most >= ONE_PLACE * counts
    found: Hashes = hashes[(middle > OWN) | anyhow]
    return found


def fixed_in_items(
    items: Grams, rows: Grams, n: int, owners: tuple[Indices, Indices] | None = None
) -> Hashes:
    """What is fixed text where items are looked for in rows, sorted: in several items, or in most.

    That many rows hold a run of one item makes them leaks and not the run an instruction.

    Shapes: `owners` as in `fixed_text`, of the items' texts and of the rows'.
    """
    of_items, of_rows = owners or (None, np.arange(rows.texts))
    by_row = _owned(rows, of_rows)
    told = fixed_of_items(items, n, of_items)
    return np.union1d(told, fixed(by_row, _anyhow(by_row.texts)))


def fixed_of_items(items: Grams, n: int, owner: Indices | None = None) -> Hashes:
    """What is fixed text because several items have it, sorted."""
    count = items.texts if owner is None else _count(owner)
    return fixed_text(items, n, owner, 2 if count < FEW_ITEMS else 3)


def sample(names: Sequence[str], most: int = SAMPLED) -> list[int]:
    """Indices of so many texts at most, ascending, whatever order they stand in.

    Those with the least hashes of their names, such as ids; of equal names each is one more.
    """
    if len(names) <= most:
        return list(range(len(names)))
    times: dict[str, int] = {}
    ranks = np.empty(len(names), dtype=np.uint64)
    for index, name in enumerate(names):
        again = times[name] = times.get(name, -1) + 1
        ranks[index] = xxhash.xxh3_64_intdigest(name.encode(errors="replace"), seed=again)
    return sorted(np.argsort(ranks, kind="stable")[:most].tolist())


def _own(grams: Grams, hit: NDArray[np.bool_], n: int, owner: Indices) -> NDArray[np.float64]:
    """The share of each owner's words that stand in none of the runs that were hit."""
    counts = np.bincount(grams.text, minlength=grams.texts)
    words = np.where(counts > 0, counts + n - 1, 0)
    text, first = grams.text[hit], grams.first[hit]
    fresh = np.full(len(text), n)
    fresh[1:] = np.where(text[1:] == text[:-1], np.minimum(np.diff(first), n), n)
    owners = _count(owner)
    covered = np.bincount(owner[text], weights=fresh, minlength=owners)
    whole = np.bincount(owner, weights=words, minlength=owners)
    return 1 - covered / np.maximum(whole, 1)


def _places(grams: Grams, hit: NDArray[np.bool_], n: int) -> Indices:
    """In which of its stretches each text has its longest run of own words; one more for none."""
    words = np.bincount(grams.text, minlength=grams.texts) + n - 1
    text, first = grams.text[hit], grams.first[hit]
    opens = np.concatenate([[True], text[1:] != text[:-1]])
    closes = np.concatenate([opens[1:], [True]])
    begin = np.where(opens, 0, np.concatenate([[0], first[:-1] + n]))
    begin = np.concatenate([begin, first[closes] + n])
    size = np.concatenate([first, words[text[closes]]]) - begin
    whose = np.concatenate([text, text[closes]])
    found = np.full(grams.texts, STRETCHES)
    order = np.lexsort((-begin, size, whose))
    order = order[size[order] > 0]  # of each text the longest last
    middle = 2 * begin[order] + size[order]
    found[whose[order]] = STRETCHES * middle // (2 * words[whose[order]])
    return found


def _in_one_place(held: Grams, places: Indices) -> Indices:
    """Of each run, by its hash: the texts that have their own words where its middle text has."""
    _, run = np.unique(held.hashes, return_inverse=True)
    cell = run * (STRETCHES + 1) + places[held.text]
    beside = np.bincount(cell)[cell]
    order = np.lexsort((beside, run))
    _, opens, counts = np.unique(run[order], return_index=True, return_counts=True)
    found: Indices = beside[order][opens + counts // 2]
    return found


def _owned(grams: Grams, owner: Indices) -> Grams:
    text = owner[grams.text]
    return Grams(hashes=grams.hashes, text=text, first=grams.first, texts=_count(owner))


def _count(owner: Indices) -> int:
    return int(owner.max(initial=-1)) + 1


def _anyhow(texts: int) -> int:
    return max(ANYHOW_LEAST, min(ANYHOW_MOST, math.ceil(ANYHOW * texts)))
