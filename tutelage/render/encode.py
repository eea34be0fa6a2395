"""Text to token ids and back, so that the words of a message never become a marker."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from tokenizers import Tokenizer
from tokenizers.normalizers import Replace
from tokenizers.normalizers import Sequence as Normalizers

from tutelage.core.errors import ContractError

# A code point Unicode keeps for use inside a program: no text is meant to hold it.
SEAM = "\ufdd0"
FOLDED = ("A", "\uff21", "E\u0301", "\u200b")  # a capital, a wide one, an accent, no width
NOTHING = re.compile(r"(?!)")


class Encoder:
    """A tokenizer that knows which of its tokens are markers.

    A marker is an added token that is special, or that the chat template writes.
    `shielded` takes a marker apart inside a message by seams; the seams are gone
    again before the text reaches the model's vocabulary but after markers are
    looked for, so the text is spelt out. Text without a marker is encoded as the
    hub's libraries encode it.
    """

    def __init__(self, tokenizer: Any, *, names: Iterable[str], template: str) -> None:
        form = json.loads(tokenizer.to_str())
        added = form["added_tokens"]
        named = set(names)
        special = [t for t in added if t["special"] or t["content"] in named]
        written = [t for t in added if t not in special and t["content"] in template]
        self.tokenizer = tokenizer
        self.special_ids = frozenset(t["id"] for t in special)
        self.marker_ids = frozenset(t["id"] for t in (*special, *written))
        self.marker_texts = tuple(t["content"] for t in (*special, *written))
        self._special = _any_of(t["content"] for t in special)
        self._markers = _any_of(self.marker_texts)
        self._added = _any_of((t["content"] for t in added), kept=True)
        self._alike = {
            True: self._normalized(special),
            False: self._normalized([*special, *written]),
        }
        self._cut = _cutting_tokens(form)
        self._form = form
        self._seamless: Any = None  # made when a text first needs it

    def shielded(self, text: str, *, spoken: bool = False) -> str:
        """The text with its markers taken apart by seams.

        In what the assistant has `spoken`, added tokens that are not special
        (`<think>`, say) stay whole: a model writes them itself.
        """
        if SEAM in text:
            raise ContractError(
                "a message holds the noncharacter U+FDD0, by which its markers are told apart",
                hint="leave U+FDD0 out of the text: it is not for interchange",
            )
        pattern = self._special if spoken else self._markers
        if not pattern.search(text):
            self._check_alike(text, spoken)
            return text
        while pattern.search(text):  # a marker may begin in the end of another
            text = pattern.sub(lambda found: SEAM.join(found[0]), text)
        self._check_spelt(text)
        self._check_alike(text, spoken)
        return text

    def normal(self, text: str) -> str:
        """The text as the tokenizer's normalizer leaves it."""
        normalizer = self.tokenizer.normalizer
        return text if normalizer is None else str(normalizer.normalize_str(text))

    @property
    def folds(self) -> bool:
        """Whether the normalizer makes one letter of two: of cases, forms, accents."""
        return any(one not in self.normal(one) for one in FOLDED)

    def has_marker(self, text: str) -> bool:
        """Whether a marker's text stands in it."""
        return self._markers.search(text) is not None

    def after_markers(self, text: str) -> str:
        """What stands after the last marker's text in it."""
        return self._markers.split(text)[-1]

    def encode(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Ids of each text. A stretch between markers that many texts share is read once."""
        parts = [self._parts(text) for text in texts]
        unknown = {part for row in parts for part in row if isinstance(part, str)}
        plain = [part for part in unknown if SEAM not in part]
        seamed = [part for part in unknown if SEAM in part]
        ids = dict(zip(plain, _batch(self.tokenizer, plain), strict=True))
        if seamed:
            ids |= dict(zip(seamed, _batch(self._without_seams(), seamed), strict=True))
        return [_joined(row, ids) for row in parts]

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """The text of the ids; special tokens are left out unless asked for."""
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=not special)
        return text

    def decode_many(self, rows: Sequence[Sequence[int]], *, special: bool = False) -> list[str]:
        """The text of each row of ids."""
        texts: list[str] = self.tokenizer.decode_batch(
            [list(row) for row in rows], skip_special_tokens=not special
        )
        return texts

    def _parts(self, text: str) -> list[str | int]:
        """The text cut at tokens that can be cut at: ids of those, strings between them."""
        if not self._cut:
            return [text] if text else []
        parts: list[str | int] = []
        for at, piece in enumerate(self._added.split(text)):
            token = self._cut.get(piece) if at % 2 else None  # every second one is an added token
            if token is not None:
                parts.append(token)
            elif parts and isinstance(parts[-1], str):
                parts[-1] += piece
            elif piece:
                parts.append(piece)
        return parts

    def _without_seams(self) -> Any:
        if self._seamless is None:
            # Tokens matched before normalization never see the text without its seams.
            added = [{**token, "normalized": False} for token in self._form["added_tokens"]]
            tokenizer = Tokenizer.from_str(json.dumps({**self._form, "added_tokens": added}))
            before = tokenizer.normalizer
            steps = [Replace(SEAM, ""), *([] if before is None else [before])]
            tokenizer.normalizer = Normalizers(steps)
            self._seamless = tokenizer
        return self._seamless

    def _normalized(self, tokens: Iterable[Any]) -> re.Pattern[str]:
        """Finds the tokens that are looked for only after the normalizer, as it leaves them."""
        found = [t["content"] for t in tokens if t["normalized"] and self.tokenizer.normalizer]
        return _any_of(word for one in found for word in (one, self.normal(one)))

    def _check_alike(self, text: str, spoken: bool) -> None:
        """Raises ContractError where the normalizer itself makes a marker of other characters."""
        pattern = self._alike[spoken]
        hit = None if pattern is NOTHING else pattern.search(self.normal(text))
        if hit is not None:
            raise ContractError(
                f"this tokenizer reads characters of a message as the marker `{hit[0].strip()}`",
                hint="leave what looks like the marker out of the row",
            )

    def _check_spelt(self, text: str) -> None:
        """Raises ContractError where the vocabulary itself turns the spelling into a marker."""
        forged = self.special_ids & frozenset(_batch(self._without_seams(), [text])[0])
        if forged:
            names = ", ".join(f"`{self.tokenizer.id_to_token(one)}`" for one in sorted(forged))
            raise ContractError(
                f"a message holds the text of {names}, which this tokenizer cannot spell out",
                hint="leave the marker's text out of the row",
            )


def _any_of(words: Iterable[str], *, kept: bool = False) -> re.Pattern[str]:
    """Leftmost, then longest, as the tokenizer looks for its added tokens.

    What is found is `kept` among the pieces of a text that is split by it.
    """
    ordered = sorted(set(words) - {""}, key=lambda word: (-len(word), word))
    if not ordered:
        return NOTHING
    every = "|".join(map(re.escape, ordered))
    return re.compile(f"({every})" if kept else every)


def _cutting_tokens(form: Any) -> dict[str, int]:
    """Added tokens at which a text may be cut and its stretches encoded apart.

    None where the tokenizer treats the start of a text as it treats no other
    stretch; not those that take spaces beside them along.
    """
    ways = json.dumps([form["normalizer"], form["pre_tokenizer"]])
    if "Metaspace" in ways or "Prepend" in ways or '"add_prefix_space": true' in ways:
        return {}
    return {
        token["content"]: token["id"]
        for token in form["added_tokens"]
        if not (token["lstrip"] or token["rstrip"] or token["single_word"] or token["normalized"])
    }


def _batch(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    read = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return [encoding.ids for encoding in read]


def _joined(parts: Sequence[str | int], ids: dict[str, list[int]]) -> tuple[int, ...]:
    row: list[int] = []
    for part in parts:
        if isinstance(part, int):
            row.append(part)
        else:
            row.extend(ids[part])
    return tuple(row)
