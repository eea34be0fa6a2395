"""What people decided on a row that a model drafted, bound to the words they decided on.

A review names two digests: of the draft (what the model wrote, with which model, from which rows)
and of the row that came of it. Its seal is an HMAC over all of it. With a key nobody without the
key can write a review; without one the seal still shows that a review was changed or made up by
hand, though not by somebody who goes to the length of computing it.

Source: RFC 2104 (HMAC) over SHA-256.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tutelage.core.digest import Json, canonical

Accepted = Literal["accept", "edit"]
ACCEPTED: tuple[Accepted, ...] = ("accept", "edit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One person's consent to a row."""

    reviewer: str
    decision: Accepted
    draft: str  # SHA-256 of what the model wrote, and of how
    row: str  # SHA-256 of the row that was decided on
    seal: str = ""

    def sealed(self, key: bytes) -> Review:
        """The review with the seal of a key, which may be empty."""
        said = canonical([self.reviewer, self.decision, self.draft, self.row])
        return replace(self, seal=hmac.new(key, said, hashlib.sha256).hexdigest())

    def to_dict(self) -> dict[str, Json]:
        """The review as plain JSON."""
        return {name: getattr(self, name) for name in FIELDS}

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Review:
        """The review of `to_dict`."""
        return cls(**{name: form[name] for name in FIELDS})


FIELDS = ("reviewer", "decision", "draft", "row", "seal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the reviews of a row are held against."""

    row: str  # SHA-256 of the row as it is
    draft: str  # SHA-256 of it as a draft: that of an accepted one, were it unchanged
    reviewers: int  # who must have agreed
    key: bytes = b""


def person(written: str) -> str:
    """Whoever a reviewer's name means, however it is written: case, signs around it and signs that
    are not seen make no other person.
    """
    plain = unicodedata.normalize("NFKC", written)
    seen = "".join(one for one in plain if unicodedata.category(one) != "Cf")
    return seen.strip().strip("._-").casefold()


def key_mark(key: bytes) -> str:
    """What tells two keys apart without telling either."""
    return hmac.new(key, b"tutelage: which key", hashlib.sha256).hexdigest()[:16] if key else ""


def problem(reviews: Sequence[Review], held: Held) -> tuple[str, str]:
    """What is wrong with a row's reviews: `forged`, `stale` or `few`, and in words; else empty."""
    for one in reviews:
        if not hmac.compare_digest(one.seal, one.sealed(held.key).seal):
            told = f"the review by `{one.reviewer}` was not written by `tutelage review import`"
            return "forged", f"{told}, or with another key"
        if one.row != held.row or (one.decision == "accept" and one.draft != held.draft):
            told = f"the review by `{one.reviewer}` is of other words: "
            return "stale", f"{told}the row, or where it comes from, was changed since"
    if len({(one.draft, one.decision) for one in reviews}) > 1:
        return "forged", "its reviews are not of one draft, or differ in what they decide"
    people = sorted({person(one.reviewer) for one in reviews})
    if len(people) >= held.reviewers:
        return "", ""
    wanted = f"expected reviews by {held.reviewers} {'person' if held.reviewers == 1 else 'people'}"
    by = f"only {' and '.join(people)} reviewed it" if people else "nobody has reviewed it"
    return "few", f"{by}; {wanted} (`tutelage review`)"
