"""Marks of prompt injection: words that countermand an instruction, forged markers, hidden signs.

A mark is no proof. People quote and ask about injections, and one in other words has no mark:
what is found here is for a report, and drops a row only where the recipe says so.
"""

from __future__ import annotations

from functools import cache

from tutelage.core.finding import Finding
from tutelage.screen.scan import Match, Rule, Scanner, Span

DETECTOR = "injection"
KINDS = ("override", "prompt_theft", "forged_marker", "hidden_text")
TOLD = r"(?:instructions?|prompts?|rules|directions|guidelines|messages|commands|training)"
RULES = {
    "override": r"(?i)\b(?:ignore|disregard|forget|override|bypass)\s+(?:(?:all|any|every|the|your"
    r"|these|those|my|of|previous|prior|above|earlier|preceding|former|system)\s+){1,5}"
    rf"{TOLD}\b",
    "prompt_theft": r"(?i)\b(?:reveal|print|show|repeat|output|leak|tell me)\s+(?:me\s+)?"
    r"(?:your|the)\s+(?:(?:full|entire|hidden|secret|initial|exact|original)\s+)*"
    r"(?:system\s+(?:prompt|message)|initial\s+instructions|prompt\s+above)\b",
    "forged_marker": r"<\|[a-z_]{2,30}\|>|\[/?INST\]|<</?SYS>>|</?s>\s*\[INST\]"
    r"|<(?:start|end)_of_turn>",
    "hidden_text": r"[\x{e0020}-\x{e007e}]{4,}|[\x{200b}\x{2060}\x{feff}]{4,}"
    r"|[\x{202a}-\x{202e}]",
}


def find_injections(text: str) -> list[Finding]:
    """What in the text is a mark of injection, by KINDS."""
    return scanner().find(text)


@cache
def scanner() -> Scanner:
    """The rules, compiled once."""
    rules = [Rule(kind=kind, pattern=look, span=_whole) for kind, look in RULES.items()]
    return Scanner(DETECTOR, rules)


def _whole(text: str, match: Match) -> Span | None:
    return match.start(), match.end()
