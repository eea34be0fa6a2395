"""What of a draft a person should doubt: a teacher that says again what it was told, odd signs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np

from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Synthesis
from tutelage.core.recipe.synthesis import ANSWER, REQUEST, SCHEMA
from tutelage.core.row import Example
from tutelage.curate.sides import request
from tutelage.curate.sieve import entry
from tutelage.curate.synthesis.ground import Ground
from tutelage.score.task import answer_text
from tutelage.screen.near import comparable
from tutelage.screen.ngrams import Hashes, among, ngrams_of

RUN = 13  # words in a row that nobody writes again by chance
MARKS = re.compile("|".join(map(re.escape, (REQUEST, ANSWER, SCHEMA))))
PLAIN = "\n\r\t"
UNSEEN = ("Cc", "Cf")  # control characters, and signs that only say how others are set
BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # letters and signs without ink
JOINERS = "\u200c\u200d"  # which some scripts and emoji are written with


def doubts(drafts: Sequence[Example], keys: Synthesis, ground: Ground) -> Iterator[LedgerEntry]:
    """Reasons to look closely at drafts."""
    told = _runs([part for text in (keys.instruction, keys.guide) for part in MARKS.split(text)])
    seeds = {one.id: one for one in ground.every}
    for one in drafts:
        asked, said = request(one), answer_text(one.messages[-1])
        if comparable(asked) == comparable(said):
            yield _doubt(one, Reason.ECHO, "its answer is the request")
        seed = seeds.get(one.parents[0]) if one.parents else None
        shown = _runs([request(seed)]) if seed is not None else told[:0]
        for name, text in (("request", asked), ("answer", said)):
            if _holds(text, told):
                words = f"its {name} has {RUN} words in a row of what the teacher was told to do"
                yield _doubt(one, Reason.ECHO, words)
            elif _holds(text, shown):
                yield _doubt(one, Reason.ECHO, f"its {name} has {RUN} words in a row of its seed")
            if odd := _odd(text):
                yield _doubt(one, Reason.UNSEEN_SIGNS, f"its {name} has {', '.join(odd)}")


def _doubt(draft: Example, reason: Reason, words: str) -> LedgerEntry:
    return entry(draft, Decision.REVIEW, reason, words)


def _runs(texts: Sequence[str]) -> Hashes:
    """The runs of words of some texts, each once."""
    found: Hashes = np.unique(ngrams_of(texts, RUN).hashes)
    return found


def _holds(text: str, runs: Hashes) -> bool:
    return bool(len(runs)) and bool(among(ngrams_of([text], RUN).hashes, runs).any())


def _odd(text: str) -> list[str]:
    """The signs of a text that nobody sees, each once, by their numbers."""
    beside = f" {text} "
    found = {
        one
        for before, one, after in zip(beside, text, beside[2:], strict=False)
        if one not in PLAIN
        and (one in BLANK or unicodedata.category(one) in UNSEEN)
        and not (one in JOINERS and _joined(before) and _joined(after))
    }
    return [f"U+{ord(one):04X}" for one in sorted(found)]


def _joined(sign: str) -> bool:
    """Whether a joiner beside the sign may be how it is written."""
    return not sign.isascii() and unicodedata.category(sign) not in UNSEEN
