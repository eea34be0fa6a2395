from __future__ import annotations

import random

from nltk.stem.porter import PorterStemmer

from tutelage.score.porter import stem

ENDINGS = (
    *("", "s", "ies", "ied", "eed", "ed", "ing", "y", "ational", "alli", "logi", "fulli", "ness"),
    *("ement", "ion", "e", "ll", "ousli", "biliti", "ization", "ical", "sses", "ative", "er"),
)


def test_every_stem_is_that_of_nltk() -> None:
    official, draw = PorterStemmer(), random.Random(5)
    words = {
        "".join(draw.choices("aeiouybtslzingw", k=draw.randint(1, 7))) + draw.choice(ENDINGS)
        for _ in range(8_000)
    } | {"sky", "skies", "dying", "news", "innings", "proceed", "happy", "enjoy", "by", "yyyy"}
    assert {word: stem(word) for word in words} == {word: official.stem(word) for word in words}
