"""Hashes of every run of n words, as whole-array expressions over the bytes of the texts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tutelage.screen.letters import UNSEEN_OCTETS, between, normal, signs_alone
from tutelage.screen.powers import powers

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]
Number = TypeVar("Number", np.uint64, np.int64)

CHUNK_BYTES = 1 << 17  # texts hashed at once: what stays in a core's cache
TABLE_BITS = 20  # of a hash, by which those surely not among others are told
BUCKET_BITS = 18  # of a hash, by which those that are surely rare are told
NEWLINE, SPACE = 10, 32
FIXED_SHARE = 0.01  # a span this share of texts have in common may be fixed text
FIXED_TEXTS = 5  # but never one of fewer texts than these

PLAIN = bytes(code if bytes([code]).isalnum() else 32 for code in bytes(range(256)).lower())
BLANK = bytes(32 if chr(code).isspace() else code for code in bytes(range(256)).lower())
# scripts written without spaces: each sign counts as a word
SIGNS = re.compile(r"([\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grams:
    """Hashed runs of words, by the text they stand in.

    Shapes: `hashes`, `text` and `first` `[G]`, ordered by text and place.
    """

    hashes: Hashes
    text: Indices  # index of the text
    first: Indices  # index of the run's first word in its text
    texts: int

    def take(self, chosen: NDArray[np.bool_] | Indices) -> Grams:
        """Those of a mask or of indices."""
        return Grams(
            hashes=self.hashes[chosen],
            text=self.text[chosen],
            first=self.first[chosen],
            texts=self.texts,
        )

    def moved(self, by: int, texts: int) -> Grams:
        """The same of texts that stand after others, among so many."""
        return Grams(hashes=self.hashes, text=self.text + by, first=self.first, texts=texts)

    def distinct(self) -> Grams:
        """Each hash once a text, ordered by text and hash."""
        order = np.lexsort((self.hashes, self.text))
        ordered = self.take(order)
        same_text = ordered.text[1:] == ordered.text[:-1]
        again = same_text & (ordered.hashes[1:] == ordered.hashes[:-1])
        return ordered.take(np.concatenate([[True], ~again])[: len(order)])


def folded(text: str) -> str:
    """The text without differences of case and blanks, and without what is not seen."""
    if text.isascii():
        octets = text.encode().translate(BLANK, UNSEEN_OCTETS)
        while b"  " in octets:
            octets = octets.replace(b"  ", b" ")
        return octets.strip(b" ").decode()
    return " ".join(normal(text).split())


def words(text: str) -> str:
    """The words of a text, lower-cased, one space between; punctuation goes, and what is not seen.

    A text of signs alone, such as an emoji, is one word.
    """
    if not text:
        return ""
    if text.isascii():
        octets = text.encode().translate(PLAIN, UNSEEN_OCTETS)
        while b"  " in octets:
            octets = octets.replace(b"  ", b" ")
        return octets.strip().decode() or signs_alone(text)
    plain = normal(text)
    if not plain.isascii():
        plain = SIGNS.sub(r" \1 ", plain)
    return between().sub(" ", plain).strip() or "".join(plain.split())


def words_of(texts: Sequence[str]) -> list[str]:
    """`words` of every text; of those in ASCII, many at once."""
    told = _each(texts, PLAIN, words)
    return [own or signs_alone(text) for own, text in zip(told, texts, strict=True)]


def folded_of(texts: Sequence[str]) -> list[str]:
    """`folded` of every text; of those in ASCII, many at once."""
    return _each(texts, BLANK, folded)


def _each(texts: Sequence[str], table: bytes, one: Callable[[str], str]) -> list[str]:
    """The texts with their octets as the table has them; what `one` makes of those not in ASCII."""
    found: list[str] = []
    for begin, end in _chunks(texts):
        own = texts[begin:end]
        plain = [text if text.isascii() else "" for text in own]
        told = _squeezed(plain, table).decode().split("\n")[:-1]
        pairs = zip(told, own, strict=True)
        found += [line if text.isascii() else one(text) for line, text in pairs]
    return found


def _squeezed(texts: Sequence[str], table: bytes = PLAIN) -> bytes:
    """The words of each text, which is in ASCII, on a line that ends in a newline."""
    lines = [text.encode().translate(table, UNSEEN_OCTETS).strip() for text in texts]
    octets = np.frombuffer(b"\n".join([*lines, b""]), dtype=np.uint8)
    kept = octets != SPACE
    kept[:-1] |= kept[1:]  # of a run of blanks, which is between words, the last
    return bytes(octets[kept])


def ngrams(texts: Sequence[str], n: int, *, whole_short: bool = False) -> Grams:
    """The runs of n words of texts that `words` has made.

    With `whole_short` a text of fewer than n words counts as one run, so that short
    texts are compared whole instead of not at all.

    Source: polynomial prefix hash modulo 2^64; a run's hash is a difference of two
        prefixes times an inverse power, then mixed (splitmix64's finisher).
    """
    parts = []
    for begin, end in _chunks(texts):
        cut = Cut.of(("\n".join(texts[begin:end]) + "\n").encode())
        parts.append(cut.runs(n, whole_short).moved(begin, len(texts)))
    return _joined(parts, len(texts))


def ngrams_of(texts: Sequence[str], n: int) -> Grams:
    """The runs of n words of texts as they are: those of `ngrams` of their `words`."""
    return ngrams_each(texts, (n,))[0]


def ngrams_each(texts: Sequence[str], sizes: Sequence[int]) -> list[Grams]:
    """The same for runs of several sizes; the texts are cut into words once."""
    parts: list[list[Grams]] = [[] for _ in sizes]
    for begin, end in _chunks(texts):
        own = texts[begin:end]
        plain = all(map(str.isascii, own))
        cut = Cut.of(_squeezed(own) if plain else ("\n".join(words_of(own)) + "\n").encode())
        for made, n in zip(parts, sizes, strict=True):
            made.append(cut.runs(n).moved(begin, len(texts)))
    return [_joined(made, len(texts)) for made in parts]


def _joined(parts: Sequence[Grams], texts: int) -> Grams:
    if not parts:
        empty = np.zeros(0, dtype=np.int64)
        return Grams(hashes=empty.astype(np.uint64), text=empty, first=empty, texts=texts)
    return Grams(
        hashes=np.concatenate([part.hashes for part in parts]),
        text=np.concatenate([part.text for part in parts]),
        first=np.concatenate([part.first for part in parts]),
        texts=texts,
    )


def fixed(grams: Grams, least: int = FIXED_TEXTS) -> Hashes:
    """Hashes of the runs that so many texts share, and one in a hundred of them, sorted."""
    least = math.ceil(max(least, FIXED_SHARE * grams.texts))
    buckets = grams.hashes >> np.uint64(64 - BUCKET_BITS)
    full = np.bincount(buckets.astype(np.int64), minlength=1 << BUCKET_BITS) >= least
    ordered = np.sort(grams.hashes[full[buckets]])
    # as many equal ones in a row; a text may hold several, so those left are counted by text
    often = once(ordered[least - 1 :][ordered[least - 1 :] == ordered[: 1 - least or None]])
    held = grams.take(among(grams.hashes, often)).distinct()
    hashes, counts = np.unique(held.hashes, return_counts=True)
    return hashes[counts >= least]


def without(texts: Sequence[str], grams: Grams, spans: Hashes, n: int) -> list[str]:
    """The texts without the words that stand in any of these runs of n words; words alone."""
    stripped = list(texts)
    hit = grams.take(among(grams.hashes, spans))
    opens = np.flatnonzero(np.concatenate([[True], hit.text[1:] != hit.text[:-1]])[: len(hit.text)])
    ends = np.append(opens[1:], len(hit.text))[: len(opens)].tolist()
    firsts = hit.first.tolist()
    for index, begin, end in zip(hit.text[opens].tolist(), opens.tolist(), ends, strict=True):
        kept = texts[index].split(" ")
        left, at = [], 0
        for first in firsts[begin:end]:
            left += kept[at:first]
            at = max(at, first + n)
        stripped[index] = " ".join(left + kept[at:])
    return stripped


def among(hashes: Hashes, known: Hashes) -> NDArray[np.bool_]:
    """Which hashes are among these, given sorted; most are told from a table that fits a cache."""
    held = np.zeros(len(hashes), dtype=np.bool_)
    if not len(known):
        return held
    shift = np.uint64(64 - TABLE_BITS)
    table = np.zeros(1 << TABLE_BITS, dtype=np.bool_)
    table[known >> shift] = True
    maybe = np.flatnonzero(table[hashes >> shift])
    place = np.minimum(np.searchsorted(known, hashes[maybe]), len(known) - 1)
    held[maybe] = known[place] == hashes[maybe]
    return held


def once(values: NDArray[Number]) -> NDArray[Number]:
    """Each of some numbers once, sorted; made by a sort, which is faster than a table of them."""
    found: NDArray[Number] = np.sort(values)
    found = found[np.concatenate([[True], found[1:] != found[:-1]])[: len(found)]]
    return found


def mix(values: Hashes) -> Hashes:
    """Spreads every bit of a hash over all of it; one-to-one."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def batches(sizes: Indices, most: int) -> Iterator[tuple[int, int]]:
    """Where each batch of texts begins and ends that has `most` of something, or a text more."""
    upto = np.cumsum(sizes)
    begin = done = 0
    while begin < len(sizes):
        end = min(int(np.searchsorted(upto, done + most)) + 1, len(sizes))
        yield begin, end
        begin, done = end, int(upto[end - 1])


def lengths(texts: Sequence[str]) -> Indices:
    """Characters of each text."""
    return np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))


def _chunks(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    return batches(lengths(texts) + 1, CHUNK_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Texts that stand a line each, cut into words. Shapes: by word but `counts`, by text."""

    starts: Indices  # octets
    prefix: Hashes  # of the octets before a word begins
    upto: Hashes  # of those before it ends
    text: Indices
    counts: Indices

    @classmethod
    def of(cls, lines: bytes) -> Cut:
        """Those of lines, each of which ends in a newline."""
        octets = np.frombuffer(lines, dtype=np.uint8)
        breaks = octets == NEWLINE
        outside = np.ones(len(octets) + 1, dtype=np.bool_)
        np.logical_or(breaks, octets == SPACE, out=outside[1:])
        edges = np.flatnonzero(outside[1:] != outside[:-1])
        starts, ends = edges[::2], edges[1::2]  # the closing newline ends the last word
        counts = np.diff(np.searchsorted(starts, np.flatnonzero(breaks)), prepend=0)
        prefix = np.empty(len(octets) + 1, dtype=np.uint64)
        prefix[0] = 0  # and no octet of UTF-8 is 255, so that one more is an octet, too
        np.multiply(octets + np.uint8(1), powers(len(octets))[0][: len(octets)], out=prefix[1:])
        np.cumsum(prefix, out=prefix)
        return cls(
            starts=starts,
            prefix=prefix[starts],
            upto=prefix[ends],
            text=np.repeat(np.arange(len(counts)), counts),
            counts=counts,
        )

    def runs(self, n: int, whole_short: bool = False) -> Grams:
        """The runs of n words, of a shorter text all of its words where that is asked for."""
        text, counts, last = self.text, self.counts, n - 1
        offsets = np.cumsum(counts) - counts
        heads = np.flatnonzero(text[: max(len(text) - last, 0)] == text[last:])
        tails = heads + last
        if whole_short:
            short = np.flatnonzero((counts > 0) & (counts < n))
            at = np.searchsorted(heads, offsets[short])
            heads = np.insert(heads, at, offsets[short])
            tails = np.insert(tails, at, offsets[short] + counts[short] - 1)
        starts = self.starts[heads]
        inverses = powers(int(starts.max(initial=0)) + 1)[1]
        return Grams(
            hashes=mix((self.upto[tails] - self.prefix[heads]) * inverses[starts]),
            text=text[heads],
            first=heads - offsets[text[heads]],
            texts=len(counts),
        )
