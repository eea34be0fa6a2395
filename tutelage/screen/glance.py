"""Which of many texts may hold some runs of words: a look at first letters and lengths alone.

Equal runs have words of equal first letters and lengths, and to tell these of a word takes a
fraction of the time of hashing all of it. A text that is passed over holds none of the runs, or
fewer of them than it must; the few others are for a closer look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.screen.ngrams import NEWLINE, SPACE, Grams, Hashes, Indices, batches, lengths, once

CHUNK_BYTES = 1 << 17  # texts looked at together
TOLD = np.uint64(46)  # bits of an outline, beside which the text stands that has it
TABLE_BITS, MOST_BITS = 18, 23  # of an outline, by which most that are not looked for are told
SPARSE = 16  # places of the table for each outline
STEP = np.uint64(0xD6E8FEB86659FD93)  # odd; by which the words of a run are told apart
LONG = 12  # words of a run from which a part of it is enough
EVERY = 4  # words of a text, at which such a part is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Runs of words that are looked for, by their outlines. Shapes: each `[R]`."""

    words: int  # of which an outline tells
    every: int  # words of a text at which one may begin
    outlines: Hashes  # sorted, each once
    least: Indices  # so many of any a text must hold, for this one to count; 0: this one is enough

    @classmethod
    def joined(cls, parts: Sequence[Runs]) -> Runs:
        """Those of all parts; of several that look alike the one that asks least."""
        outlines = np.concatenate([one.outlines for one in parts])
        least = np.concatenate([one.least for one in parts])
        order = np.lexsort((least, outlines))
        ordered = outlines[order]
        opens = np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)]
        one = parts[0]
        return cls(
            words=one.words, every=one.every, outlines=ordered[opens], least=least[order][opens]
        )


def runs_of(texts: Sequence[str], size: int, grams: Grams | None = None) -> Runs:
    """The runs of so many words of some texts, all or these, of which one is enough.

    A longer run holds a shorter one at every few words, so that these few are looked at.
    """
    every = EVERY if size >= LONG else 1
    words = size - every + 1
    octets = _octets(texts)
    starts, drawn = _drawn(octets)
    outlines = _outlines(drawn, words)
    if grams is None:
        text = np.searchsorted(np.flatnonzero(octets == NEWLINE), starts)
        found = outlines[text[: len(outlines)] == text[words - 1 :][: len(outlines)]]
    else:
        counts = np.array([one.count(" ") + 1 if one else 0 for one in texts], dtype=np.int64)
        at = (np.cumsum(counts) - counts)[grams.text] + grams.first
        found = outlines[(at[:, None] + np.arange(every)).reshape(-1)]
    told = once(found)
    return Runs(words=words, every=every, outlines=told, least=np.zeros(len(told), dtype=np.int64))


def shingles_of(texts: Sequence[str], size: int, share: float, counts: Indices) -> Runs:
    """The runs of texts of which another must hold a share of what one of them has.

    Shapes: `counts` `[texts]`, how many each has.
    """
    octets = _octets(texts)
    starts, drawn = _drawn(octets)
    outlines = _outlines(drawn, size)
    text = np.searchsorted(np.flatnonzero(octets == NEWLINE), starts)
    inside = text[: len(outlines)] == text[size - 1 :][: len(outlines)]
    least = np.ceil(share * counts[text[: len(outlines)][inside]]).astype(np.int64)
    found = Runs(words=size, every=1, outlines=outlines[inside], least=np.maximum(least, 2) - 1)
    return Runs.joined([found])  # one less than the share, whatever is rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """Runs of which a text must hold one, and those of which most of its own must be."""

    spans: Sequence[Runs]
    shingles: Runs | None = None
    share: float = 1.0  # of shingles, that both texts must have in common

    def some(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Which of some texts, words alone, are worth a closer look. Shapes: `[texts]`."""
        found = np.zeros(len(texts), dtype=np.bool_)
        spans = [_Known.of(one) for one in self.spans if len(one.outlines)]
        shingles = _Known.of(self.shingles) if self.shingles else None
        for begin, end in batches(lengths(texts) + 1, CHUNK_BYTES) if any(texts) else ():
            octets = _octets(texts[begin:end])
            starts, drawn = _drawn(octets)
            ends: list[Indices] = []
            for one in spans:
                at, _ = one.places(_outlines(drawn, one.runs.words)[:: one.runs.every])
                if len(at):
                    ends = ends or [np.flatnonzero(octets == NEWLINE)]
                    found[begin + np.searchsorted(ends[0], starts[at * one.runs.every])] = True
            if shingles is not None:
                breaks = np.searchsorted(starts, np.flatnonzero(octets == NEWLINE))
                outlines = _outlines(drawn, shingles.runs.words)
                found[begin + shingles.mostly(outlines, breaks, self.share)] = True
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """Runs, and a table by which most others are told from them."""

    runs: Runs
    table: NDArray[np.bool_]
    shift: np.uint64

    @classmethod
    def of(cls, runs: Runs) -> _Known:
        bits = min(max(TABLE_BITS, (SPARSE * len(runs.outlines)).bit_length()), MOST_BITS)
        shift = np.uint64(64 - bits)
        table = np.zeros(1 << bits, dtype=np.bool_)
        table[runs.outlines >> shift] = True
        return cls(runs=runs, table=table, shift=shift)

    def places(self, outlines: Hashes) -> tuple[Indices, Indices]:
        """Where a run stands that looks like one of these, and like which."""
        known = self.runs.outlines
        maybe = np.flatnonzero(self.table[outlines >> self.shift])
        looked = outlines[maybe]
        place = np.minimum(np.searchsorted(known, looked), len(known) - 1)
        same = known[place] == looked if len(known) else np.zeros(0, dtype=np.bool_)
        return maybe[same], place[same]

    def mostly(self, outlines: Hashes, ends: Indices, share: float) -> Indices:
        """The texts that hold enough of these runs and not too many others, each counted once.

        Shapes: `ends` `[texts]`, the words up to the end of each.
        """
        at, which = self.places(outlines)
        text = np.searchsorted(ends, at, side="right")
        hits = np.bincount(text, minlength=len(ends))
        some = once(text[hits[text] >= self.runs.least[which]])
        sure = once(text[self.runs.least[which] == 0])
        begins = ends[some] - np.diff(ends, prepend=0)[some]
        counts = np.maximum(ends[some] - begins - self.runs.words + 1, 0)
        whose = np.repeat(some, counts)
        run = np.arange(len(whose)) + np.repeat(begins - (np.cumsum(counts) - counts), counts)
        other = np.ones(len(outlines), dtype=np.bool_)
        other[at] = False
        run, whose = run[other[run]], whose[other[run]]
        named = whose.astype(np.uint64) << TOLD | outlines[run] >> np.uint64(64) - TOLD
        others = np.bincount((once(named) >> TOLD).astype(np.int64), minlength=len(ends))
        few = others[some] <= (1 - share) / share * hits[some] + 1  # whatever is rounded
        return np.concatenate([some[few], sure])


def _octets(texts: Sequence[str]) -> NDArray[np.uint8]:
    return np.frombuffer(("\n".join(texts) + "\n").encode(), dtype=np.uint8)


def _drawn(octets: NDArray[np.uint8]) -> tuple[Indices, Hashes]:
    """Where each word begins, and what of it is looked at: its length, its first two octets."""
    inside = np.zeros(len(octets) + 1, dtype=np.bool_)
    np.logical_and(octets != NEWLINE, octets != SPACE, out=inside[1:])
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    starts, ends = edges[::2], edges[1::2]  # the closing newline ends the last word
    sizes = ends - starts
    second = octets[starts + 1] * (sizes > 1)  # of one octet what stands behind it is not its own
    drawn = (sizes << 16) + octets[starts] * np.int64(256) + second
    return starts, drawn.astype(np.uint64) * STEP


def _outlines(drawn: Hashes, size: int) -> Hashes:
    """One value a run of so many words, also of those that reach into the next text."""
    if size == 1 or len(drawn) < size:
        return drawn if size == 1 else drawn[:0]
    half = size // 2
    part = _outlines(drawn, half)
    both = part[:-half] * np.uint64(pow(int(STEP), half, 1 << 64)) + part[half:]
    return both if size == 2 * half else both[:-1] * STEP + drawn[size - 1 :]
