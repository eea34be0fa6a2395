"""What the card counts and measures of rows, part by part: sizes and counts, no words of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from tutelage.core.digest import canonical
from tutelage.core.row import Example
from tutelage.curate.exemplars import exemplar_of
from tutelage.curate.sides import request
from tutelage.curate.split import length_of
from tutelage.screen.ngrams import Hashes, ngrams_of

UNITS = ("words", "characters", "bytes")
SIDES = ("requests", "answers")
FORMS = ("{", "[")  # with which a JSON object or list begins
Counts = Mapping[str, Counter[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Sizes and counts of some rows. Shapes: `sizes` `[2, 3, N]` by side and unit."""

    sizes: NDArray[np.int64]
    messages: NDArray[np.int64]  # [N]
    counts: Counts  # by name: splits, origins, lengths ..., `tag NAME`
    keys: frozenset[str] = frozenset()  # of consent
    authors: frozenset[str] = frozenset()
    words: Hashes = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))  # of requests

    def sizes_of(self, side: str, unit: str) -> NDArray[np.int64]:
        """The sizes of requests or answers, a row each."""
        sizes: NDArray[np.int64] = self.sizes[SIDES.index(side), UNITS.index(unit)]
        return sizes

    def counted(self, name: str) -> dict[str, int]:
        """How many rows have each value, names sorted."""
        return dict(sorted(self.counts.get(name, Counter()).items()))

    def tags(self) -> dict[str, Counter[str]]:
        """How many rows have each value of each tag."""
        found = {name[4:]: own for name, own in self.counts.items() if name.startswith("tag ")}
        return dict(sorted(found.items()))


def measured(examples: Sequence[Example], *, words: bool = False) -> Measured:
    """Those of rows in memory; `words` if it matters which their requests have."""
    asked, said = [request(one) for one in examples], [taught(one) for one in examples]
    counts: dict[str, Counter[str]] = {}
    for name, value in _said(examples, said):
        counts.setdefault(name, Counter())[value] += 1
    none = np.zeros(0, dtype=np.uint64)
    return Measured(
        sizes=np.array([_sizes(asked), _sizes(said)], dtype=np.int64),
        messages=np.array([len(one.messages) for one in examples], dtype=np.int64),
        counts=counts,
        keys=frozenset(one.consent_key for one in examples if one.consent_key),
        authors=frozenset(one.author for one in examples if one.author),
        words=np.unique(ngrams_of(asked, 1).hashes) if words else none,
    )


def together(parts: Sequence[Measured]) -> Measured:
    """Those of several parts, in their order."""
    parts = parts or [measured([])]
    counts: dict[str, Counter[str]] = {}
    for part in parts:
        for name, own in part.counts.items():
            counts.setdefault(name, Counter()).update(own)
    return Measured(
        sizes=np.concatenate([part.sizes for part in parts], axis=2),
        messages=np.concatenate([part.messages for part in parts]),
        counts=counts,
        keys=frozenset().union(*(part.keys for part in parts)),
        authors=frozenset().union(*(part.authors for part in parts)),
        words=np.unique(np.concatenate([part.words for part in parts])),
    )


def taught(example: Example) -> str:
    """The words that are taught, calls as JSON; of a preference row those preferred."""
    turns = [message for message in example.chosen or example.messages if message.taught]
    said = [message.content for message in turns if message.content or not message.tool_calls]
    calls = [call for message in turns for call in message.tool_calls]
    return "\n".join([*said, *(canonical(call.to_dict()).decode() for call in calls)])


def _sizes(texts: Sequence[str]) -> list[list[int]]:
    """Words, characters and UTF-8 bytes. A tokenizer of bytes makes no more tokens than bytes."""
    return [
        [len(text.split()) for text in texts],
        [len(text) for text in texts],
        [len(text) if text.isascii() else len(text.encode(errors="replace")) for text in texts],
    ]


def _said(examples: Sequence[Example], said: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each thing that is counted, and its value in a row."""
    for example, text in zip(examples, said, strict=True):
        yield "splits", example.split or ""
        yield "origins", example.origin
        yield "licences", example.licence
        yield "lengths", length_of(example)
        yield "forms", _form(example, text)
        if example.chosen:
            yield "pairs", "preference"
        if example.generator is not None:
            yield "generators", example.generator.model
        if (exemplar := exemplar_of(example)) is not None:
            yield "safety", exemplar
        for name, value in example.tags.items():
            yield f"tag {name}", value


def _form(example: Example, text: str) -> str:
    """How an answer is written."""
    turns = example.chosen or example.messages
    if any(message.tool_calls for message in turns if message.taught):
        return "tool call"
    if not any(map(str.isalnum, text)):
        return "without a word"
    if text.lstrip()[:1] not in FORMS:
        return "text"
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return "text that begins like JSON"
    return "JSON"
