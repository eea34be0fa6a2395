"""Numbers of telephones, by their country's code, their form, or the word before them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import phonenumbers

from tutelage.screen.digits import cued, decimal
from tutelage.screen.scan import Match, Span, apart

# where a number without a country's code is tried; a number good in one of them counts
REGIONS = ("US", "GB", "DE", "FR", "NL", "ES", "IT", "CH", "AT", "BE", "SE", "DK", "AU", "IN", "BR")
PHONE_CUES = frozenset(
    [
        *("phone", "telephone", "tel", "mobile", "cell", "cellphone", "fax", "call", "dial"),
        *("ring", "reach", "whatsapp", "sms", "hotline", "answering"),
    ]
)
PHONE_LABELS = ("office", "fax", "mobile", "cell", "phone", "home", "work")  # after a number
LEAST_DIGITS, MOST_DIGITS = 9, 20  # of a phone number; a word before it makes six enough
LEAST_CUED = 6
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?: \d{1,2})?", re.ASCII)
MOST_GROUPS = 6  # more are a row of numbers
IN_ROW = frozenset("0123456789().-/ \u2010\u2011\u2012\u2013\xa0")  # of several numbers
BLANKS = " \xa0"
LONGEST_ROW = 80  # characters of it that are looked at
BESIDE = re.compile(r" / ")  # between two numbers
AMERICAN = re.compile(  # whose form tells where it begins and ends
    r"(?<![\w.\-+/=@])(?:\(\d{3}\) ?\d{3}[-. ]|\d{3}([-.])\d{3}\1)\d{4}(?!\w|[-.,/@=]\d)", re.ASCII
)


def phone(text: str, match: Match) -> Span | None:
    """The candidate, if somebody could be called there."""
    return _number(text, match.start(), match.end())


def inside(text: str, match: Match) -> Iterator[Span]:
    """The numbers of a row of several, or beside other digits, by borders that are plain to see."""
    start, end = match.start(), match.end()
    while end < len(text) and end - start < LONGEST_ROW and text[end] in IN_ROW:
        end += 1
    begin = start
    for border in [*BESIDE.finditer(text, start, end), None]:
        stop = border.start() if border else end
        # the candidate as a whole is none; of several beside one another each may be one
        whole = _longest(text, begin, stop, alone=begin > start or border is not None)
        found = AMERICAN.finditer(text, max(begin - 1, 0), stop)
        yield from [whole] if whole else (one.span() for one in found)
        begin = border.end() if border else end


def _longest(text: str, start: int, end: int, *, alone: bool) -> Span | None:
    """The number a stretch begins with: all of it, or up to a blank behind a country's code."""
    ends = [end] if alone else []
    if text[start : start + 1] == "+":
        ends += [at for at in range(end - 1, start, -1) if text[at] in BLANKS]
    return next((one for at in ends if (one := _number(text, start, at))), None)


def _number(text: str, start: int, end: int) -> Span | None:
    if start and text[start - 1] in "(+":
        start -= 1
    written = text[start:end]
    around = text[end : end + 2]
    linked = around[:1] in ("-", "@", "=", "/") and around[1:].isdigit()
    if linked or not apart(text, start, end, "@=/") or decimal(text, start, end):
        return None
    if DATE.fullmatch(written) is not None:
        return None
    after = text[end : end + 8].lower().lstrip(" -(")
    told = after.startswith(PHONE_LABELS) or cued(text, start, PHONE_CUES)
    return (start, end) if _dialled(written, told) else None


def _dialled(written: str, cued: bool) -> bool:
    """Whether a number can be dialled: by its country's code, its form, or the word before it."""
    groups = "".join(letter if letter.isdigit() else " " for letter in written).split()
    digits = sum(map(len, groups))
    least = LEAST_CUED if cued else LEAST_DIGITS
    if not least <= digits <= MOST_DIGITS or len(groups) > MOST_GROUPS:
        return False
    if written[:1] == "+" or written[:2] in ("(+", "00"):
        return _possible("+" + written.lstrip("(+0"), None)
    if cued:
        return any(_possible(written, region) for region in REGIONS)
    if digits == len(written):
        return False  # a plain number may be anything
    american = [len(group) for group in groups[:3]] == [3, 3, 4]
    if american or written[:1] not in ("0", "("):
        return american
    return any(_possible(written, region, valid=True) for region in REGIONS)


def _possible(written: str, region: str | None, *, valid: bool = False) -> bool:
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return False
    if valid:
        return phonenumbers.is_valid_number(number)
    return phonenumbers.is_possible_number(number)
