"""Dates of birth: dates that words nearby say somebody was born on. Other dates are left alone."""

from __future__ import annotations

from functools import cache
from typing import Any

import re2

from tutelage.screen.scan import Match, Span

MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    "|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
DATE = (
    r"(?:(?:18|19|20)\d\d[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:(?:18|19|20)\d\d|\d\d)"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{MONTHS})\.?,? (?:18|19|20)\d\d"
    rf"|(?:{MONTHS})\.? \d{{1,2}}(?:st|nd|rd|th)?,? (?:18|19|20)\d\d)"
)
PATTERN = (
    r"(?i)\b(?:born|date[ _-]?of[ _-]?birth|birth[ _-]?da(?:te|y)|d\.?o\.?b)\b"
    rf"[^\n0-9]{{0,24}}?\b({DATE})\b"
)


def birth_date(text: str, match: Match) -> Span | None:
    """The date alone, if its numbers can be a day and a month."""
    numbers = [int(one) for one in _numbers().findall(match.group(1) or "") if len(one) < 3]
    days = [one for one in numbers if 1 <= one <= 31]
    return (match.start(1), match.end(1)) if len(days) == len(numbers) or len(days) > 1 else None


@cache
def _numbers() -> Any:
    return re2.compile(r"\d+")
