"""What differs between two prompt contracts, part by part, in words a person can act on."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tutelage.core.errors import BadRow, ContractError

SHOWN = 6  # changed lines of a text that an error quotes
DIGITS = 12  # of a digest
WIDTH = 120  # characters quoted of a line
LEAD = 30  # of them before what differs
AROUND = 4  # tokens quoted from the first that differs
NOTHING = "nothing"

# What each part is called where it is the cause, in the order in which one part moves another.
CAUSES: Mapping[str, str] = {
    "schema": "the contract is of another schema",
    "base": "the contract is of another base",
    "template": "the chat template is not the one that was taught",
    "system": "the system prompt is not the one that was taught",
    "variants": "the variants of the system prompt are not those that were taught",
    "without_system": "the system prompt was left out of another share of the rows",
    "policy_seed": "the system prompts were drawn under another seed",
    "arguments": "the template's arguments are not those that were taught",
    "date": "the template is told another date than was taught",
    "decoding": "answers are drawn otherwise than was measured",
    "output_schema": "answers are to satisfy another schema than was measured",
    "context": "the context is not as long as it was",
    "fit": "long lessons are to be fitted otherwise",
    "truncate": "long lessons are to be cut elsewhere",
    "forged": "forged markers are to be treated otherwise",
    "forgeable": "the template writes other markers as plain text",
    "new_tokens": "the tokens added to the tokenizer are not those that were taught",
    "tokenizer": "the tokenizer is not the one the model was taught with",
    "specials": "the special tokens are not those that were taught",
    "stop_tokens": "answers end in another stop token than was taught",
    "stop_ids": "the stop token has another id than was taught",
    "closing": "the stop token is put after an answer otherwise than was taught",
    "goldens": "prompts are not rendered as they were taught",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One part of two contracts that is not the same."""

    part: str  # `decoding.temperature`, `goldens.tools`
    before: str
    now: str
    lines: tuple[str, ...] = ()  # of texts: what was taken out (-) and put in (+)

    @property
    def says(self) -> str:
        """Both values in a sentence."""
        return f"{self.now}, was {self.before}"

    @property
    def kind(self) -> str:
        """The part's name at the top of the contract."""
        return self.part.partition(".")[0]


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """All that differs between two contracts as `Contract.to_dict` writes them, causes first."""
    keys = [*CAUSES, *(key for key in (*before, *now) if key not in CAUSES)]
    return [
        found
        for key in dict.fromkeys(keys)
        if before.get(key) != now.get(key)
        for found in _part(key, before.get(key), now.get(key))
    ]


def refusal(found: Sequence[Difference], *, where: str, hint: str) -> ContractError:
    """The error of contracts that differ: its cause, and each part of it."""
    first = found[0]
    more = len({one.kind for one in found} - {first.kind, "goldens"})
    also = f", and {more} more part{'s' if more > 1 else ''} differ" if more else ""
    return ContractError(
        f"{CAUSES.get(first.kind, f'`{first.kind}` differs')}{also}",
        where=where,
        hint=hint,
        rows=[row for one in found for row in _rows(one)],
    )


def _rows(one: Difference) -> Iterator[BadRow]:
    yield BadRow(where=one.part, problem=one.says)
    for line in one.lines[:SHOWN]:
        yield BadRow(where=one.part, problem=line)
    if len(one.lines) > SHOWN:
        yield BadRow(where=one.part, problem=f"and {len(one.lines) - SHOWN} more lines")


def _part(key: str, before: Any, now: Any) -> Iterator[Difference]:
    if key == "template" and _mappings(before, now):
        yield from _template(before, now)
    elif key == "system" and _mappings(before, now):
        yield _prompt("system", before, now)
    elif key == "variants":
        olds, news = ({one["name"]: one for one in many or ()} for many in (before, now))
        for name in dict.fromkeys((*olds, *news)):
            if olds.get(name) != news.get(name):
                yield _prompt(f"variants.{name}", olds.get(name), news.get(name))
        if olds == news:  # named alike, in another order: rows are drawn otherwise
            yield Difference(part=key, before=", ".join(olds), now=", ".join(news))
    elif key == "goldens" and _mappings(before, now):
        for name in dict.fromkeys((*before, *now)):
            if before.get(name) != now.get(name):
                yield _golden(f"goldens.{name}", before.get(name), now.get(name))
    elif key == "output_schema":
        lines = changed_lines(
            *(json.dumps(one, indent=1, ensure_ascii=False) for one in (before, now))
        )
        yield Difference(part=key, before=_short(before), now=_short(now), lines=lines)
    elif _mappings(before, now):
        for name in dict.fromkeys((*before, *now)):
            old, new = (_short(one.get(name, NOTHING)) for one in (before, now))
            if before.get(name) != now.get(name):
                yield Difference(part=f"{key}.{name}", before=old, now=new)
    else:
        yield Difference(part=key, before=_short(before), now=_short(now))


def _mappings(before: Any, now: Any) -> bool:
    return isinstance(before, Mapping) and isinstance(now, Mapping)


def _template(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    lines: list[str] = []
    for name in dict.fromkeys((*before["texts"], *now["texts"])):
        lines += changed_lines(before["texts"].get(name, ""), now["texts"].get(name, ""))
    yield Difference(
        part="template", before=_version(before), now=_version(now), lines=tuple(lines)
    )


def _prompt(
    part: str, before: Mapping[str, Any] | None, now: Mapping[str, Any] | None
) -> Difference:
    old, new = (NOTHING if one is None else _version(one) for one in (before, now))
    lines = changed_lines(*("" if one is None else one["text"] for one in (before, now)))
    return Difference(part=part, before=old, now=new, lines=lines)


def _version(form: Mapping[str, Any]) -> str:
    share = f", for {form['share']:.0%} of the rows" if "share" in form else ""
    return f"`{form['name']}` ({form['digest'][:DIGITS]}{share})"


def _golden(
    part: str, before: Mapping[str, Any] | None, now: Mapping[str, Any] | None
) -> Difference:
    if before is None or now is None:
        old, new = ("refused" if one is None else "rendered" for one in (before, now))
        return Difference(part=part, before=old, now=new)
    old, new = (f"{len(one['ids'])} tokens" for one in (before, now))
    if before["text"] != now["text"]:
        lines = changed_lines(before["text"], now["text"])
        return Difference(part=part, before=old, now=new, lines=lines)
    spelt = [list(zip(one["ids"], one["tokens"], strict=True)) for one in (before, now)]
    pairs = zip(*spelt, strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(map(len, spelt)))
    quoted = [
        " ".join(f"{id} `{text}`" for id, text in tokens[at : at + AROUND]) or "ends"
        for tokens in spelt
    ]
    return Difference(
        part=part,
        before=f"{old}, the text being the same",
        now=f"token {at + 1} is another: {new}",
        lines=(f"- {quoted[0]}", f"+ {quoted[1]}"),
    )


def changed_lines(before: str, now: str) -> tuple[str, ...]:
    """The lines taken out and put in; of a long one the stretch that differs."""
    old, new = (text.splitlines(keepends=True) for text in (before, now))
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    found: list[str] = []
    for kind, low, high, start, end in matcher.get_opcodes():
        if kind == "equal":
            continue
        outs, ins = old[low:high], new[start:end]
        at = _apart(outs[0], ins[0]) if outs and ins else 0
        found += [f"- {_quoted(line, at)}" for line in outs]
        found += [f"+ {_quoted(line, at)}" for line in ins]
    return tuple(found)


def _apart(one: str, other: str) -> int:
    """Where two lines part."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _quoted(line: str, at: int) -> str:
    seen = line.replace("\r", "\u240d").replace("\n", "\u21b5")
    if len(seen) <= WIDTH:
        return seen
    start = max(0, at - LEAD)
    cut = seen[start : start + WIDTH]
    return f"{'…' if start else ''}{cut}{'…' if start + WIDTH < len(seen) else ''}"


def _short(value: Any) -> str:
    """A value in few words; a digest by its first digits."""
    if value is None:
        return NOTHING
    if isinstance(value, str):
        hexadecimal = len(value) == 64 and set(value) <= set("0123456789abcdef")
        return value[:DIGITS] if hexadecimal else value
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
