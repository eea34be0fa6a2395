"""What IFEval asks of an answer's form: each kind of constraint and how it is checked.

Rules are those of the official checkers, their oddities included. Two differ where
those need models that are downloaded: sentences are told apart by `sentences`, and
the language by `language`. An empty answer follows nothing; see `instructions`.

Source: Zhou et al., "Instruction-following evaluation for large language models", 2023.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tutelage.score.language import UNKNOWN, detect
from tutelage.score.sentences import sentences
from tutelage.score.tokens import treebank

Asked = Mapping[str, Any]
FENCES = ("```json", "```Json", "```JSON", "```")
OPTIONS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
RELATION = ("less than", "at least")
MARKS = frozenset(".,?!'\"")
ENGLISH = ("en", UNKNOWN, None)  # a text too short to tell may be
TEXT, COUNT, TEXTS = "a text", "a whole number", "a list of texts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """How one kind is checked, and what it must be told."""

    follows: Callable[[str, Asked], bool]
    needs: Mapping[str, str]


def related(count: int, asked: Asked, key: str) -> bool:
    """Whether a count is less than, or at least, what is asked."""
    least = int(asked[key])
    return count < least if asked["relation"] == RELATION[0] else count >= least


def in_language(text: str, asked: Asked) -> bool:
    found = detect(text)
    return found is None or found == str(asked["language"]).partition("-")[0]


def in_capitals(text: str, asked: Asked) -> bool:
    return text.isupper() and detect(text) in ENGLISH


def in_small_letters(text: str, asked: Asked) -> bool:
    return text.islower() and detect(text) in ENGLISH


def has_keywords(text: str, asked: Asked) -> bool:
    return all(re.search(word, text, re.IGNORECASE) for word in asked["keywords"])


def keyword_often(text: str, asked: Asked) -> bool:
    found = re.findall(asked["keyword"].strip(), text, re.IGNORECASE)
    return related(len(found), asked, "frequency")


def lacks_words(text: str, asked: Asked) -> bool:
    words = asked["forbidden_words"]
    return not any(re.search(rf"\b{word}\b", text, re.IGNORECASE) for word in words)


def letter_often(text: str, asked: Asked) -> bool:
    count = text.lower().count(asked["letter"].strip().lower())
    return related(count, {**asked, "relation": asked["let_relation"]}, "let_frequency")


def enough_sentences(text: str, asked: Asked) -> bool:
    return related(len(sentences(text)), asked, "num_sentences")


def enough_words(text: str, asked: Asked) -> bool:
    return related(len(re.findall(r"\w+", text)), asked, "num_words")


def capital_words(text: str, asked: Asked) -> bool:
    count = sum(1 for word in treebank(text) if word.isupper())
    return related(count, {**asked, "relation": asked["capital_relation"]}, "capital_frequency")


def paragraphs(text: str, asked: Asked) -> bool:
    parts = re.split(r"\s?\*\*\*\s?", text)
    empty = [place for place, part in enumerate(parts) if not part.strip()]
    if any(place not in (0, len(parts) - 1) for place in empty):
        return False
    return len(parts) - len(empty) == int(asked["num_paragraphs"])


def first_word(text: str, asked: Asked) -> bool:
    parts = text.split("\n\n")
    count = sum(1 for part in parts if part.strip())
    place = int(asked["nth_paragraph"])
    if place > count or not parts[place - 1].strip():
        return False
    word = parts[place - 1].split()[0].lstrip("'").lstrip('"')
    stop = next((index for index, mark in enumerate(word) if mark in MARKS), len(word))
    right = word[:stop].lower() == asked["first_word"].lower()
    return right and count == int(asked["num_paragraphs"])


def placeholders(text: str, asked: Asked) -> bool:
    return len(re.findall(r"\[.*?\]", text)) >= int(asked["num_placeholders"])


def postscript(text: str, asked: Asked) -> bool:
    marker = asked["postscript_marker"].strip()
    known = {"P.P.S": r"\s*p\.\s?p\.\s?s.*$", "P.S.": r"\s*p\.\s?s\..*$"}
    pattern = known.get(marker, rf"\s*{marker.lower()}.*$")
    return bool(re.search(pattern, text.lower(), re.MULTILINE))


def bullets(text: str, asked: Asked) -> bool:
    stars = re.findall(r"^\s*\*[^\*].*$", text, re.MULTILINE)
    dashes = re.findall(r"^\s*-.*$", text, re.MULTILINE)
    return len(stars) + len(dashes) == int(asked["num_bullets"])


def one_of_options(text: str, asked: Asked) -> bool:
    return any(option in text for option in OPTIONS)


def highlights(text: str, asked: Asked) -> bool:
    single = [one for one in re.findall(r"\*[^\n\*]*\*", text) if one.strip("*").strip()]
    double = re.findall(r"\*\*[^\n\*]*\*\*", text)
    filled = [one for one in double if one.removeprefix("**").removesuffix("**").strip()]
    return len(single) + len(filled) >= int(asked["num_highlights"])


def sections(text: str, asked: Asked) -> bool:
    splitter = asked["section_spliter"].strip()
    parts = re.split(rf"\s?{splitter}\s?\d+\s?", text)
    return len(parts) - 1 >= int(asked["num_sections"])


def is_json(text: str, asked: Asked) -> bool:
    text = text.strip()
    for fence in FENCES:
        text = text.removeprefix(fence)
    try:
        json.loads(text.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


def title(text: str, asked: Asked) -> bool:
    found = re.findall(r"<<[^\n]+>>", text)
    return any(one.lstrip("<").rstrip(">").strip() for one in found)


def two_responses(text: str, asked: Asked) -> bool:
    parts = text.split("******")
    if any(not part.strip() for part in parts[1:-1]):
        return False
    filled = [part.strip() for part in parts if part.strip()]
    return len(filled) == 2 and filled[0] != filled[1]


def repeats(text: str, asked: Asked) -> bool:
    return text.strip().lower().startswith(asked["prompt_to_repeat"].strip().lower())


def ends_so(text: str, asked: Asked) -> bool:
    return text.strip().strip('"').lower().endswith(asked["end_phrase"].strip().lower())


def no_comma(text: str, asked: Asked) -> bool:
    return "," not in text


def quoted(text: str, asked: Asked) -> bool:
    text = text.strip()
    return len(text) > 1 and text[0] == '"' and text[-1] == '"'


def _one(follows: Callable[[str, Asked], bool], **needs: str) -> Constraint:
    return Constraint(follows=follows, needs=needs)


CONSTRAINTS: Mapping[str, Constraint] = {
    "change_case:capital_word_frequency": _one(
        capital_words, capital_frequency=COUNT, capital_relation=TEXT
    ),
    "change_case:english_capital": _one(in_capitals),
    "change_case:english_lowercase": _one(in_small_letters),
    "combination:repeat_prompt": _one(repeats, prompt_to_repeat=TEXT),
    "combination:two_responses": _one(two_responses),
    "detectable_content:number_placeholders": _one(placeholders, num_placeholders=COUNT),
    "detectable_content:postscript": _one(postscript, postscript_marker=TEXT),
    "detectable_format:constrained_response": _one(one_of_options),
    "detectable_format:json_format": _one(is_json),
    "detectable_format:multiple_sections": _one(sections, section_spliter=TEXT, num_sections=COUNT),
    "detectable_format:number_bullet_lists": _one(bullets, num_bullets=COUNT),
    "detectable_format:number_highlighted_sections": _one(highlights, num_highlights=COUNT),
    "detectable_format:title": _one(title),
    "keywords:existence": _one(has_keywords, keywords=TEXTS),
    "keywords:forbidden_words": _one(lacks_words, forbidden_words=TEXTS),
    "keywords:frequency": _one(keyword_often, keyword=TEXT, frequency=COUNT, relation=TEXT),
    "keywords:letter_frequency": _one(
        letter_often, letter=TEXT, let_frequency=COUNT, let_relation=TEXT
    ),
    "language:response_language": _one(in_language, language=TEXT),
    "length_constraints:nth_paragraph_first_word": _one(
        first_word, num_paragraphs=COUNT, nth_paragraph=COUNT, first_word=TEXT
    ),
    "length_constraints:number_paragraphs": _one(paragraphs, num_paragraphs=COUNT),
    "length_constraints:number_sentences": _one(
        enough_sentences, num_sentences=COUNT, relation=TEXT
    ),
    "length_constraints:number_words": _one(enough_words, num_words=COUNT, relation=TEXT),
    "punctuation:no_comma": _one(no_comma),
    "startend:end_checker": _one(ends_so, end_phrase=TEXT),
    "startend:quotation": _one(quoted),
}
