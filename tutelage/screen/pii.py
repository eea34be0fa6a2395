"""Personal data that has a form: addresses of mail, numbers that name a person or an account.

Rules cannot find what has no form of its own: names, streets and towns, dates of birth that no
word announces, what a person has or believes. Those need a model that reads (`curate.screen`
can ask one); where they matter, a text without findings is not a text without personal data.
"""

from __future__ import annotations

import ipaddress
from functools import cache

from tutelage.core.finding import Finding
from tutelage.screen import births, national, phones
from tutelage.screen.digits import cued, decimal, luhn
from tutelage.screen.scan import URL_CREDENTIALS, Match, Rule, Scanner, Span, apart

DETECTOR = "pii"
KINDS = (  # first has it
    *("url_credentials", "email", "iban", "birth_date", "national_id", "card", "ssn", "mac", "ip"),
    "phone",
)

# characters of an IBAN by country. Source: SWIFT IBAN registry, release 99
IBAN_LENGTHS = {
    **{"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22},
    **{"BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27},
    **{"DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27},
    **{"GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28},
    **{"IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28},
    **{"LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22},
    **{"MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23},
    **{"PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24},
    **{"SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28},
    **{"TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30},
}
# first digits of cards and how many digits they have. Source: ISO/IEC 7812 issuer ranges
CARDS: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (4, 4, (13, 16, 19)),
    (51, 55, (16,)),
    (2221, 2720, (16,)),
    (34, 34, (15,)),
    (37, 37, (15,)),
    (300, 305, (14,)),
    (36, 36, (14,)),
    (38, 39, (14,)),
    (3528, 3589, (16, 17, 18, 19)),
    (6011, 6011, (16, 19)),
    (62, 62, (16, 17, 18, 19)),
    (644, 659, (16, 19)),
    (50, 50, (12, 13, 14, 15, 16, 17, 18, 19)),
    (56, 58, (12, 13, 14, 15, 16, 17, 18, 19)),
    (67, 67, (12, 13, 14, 15, 16, 17, 18, 19)),
)
SSN_CUES = frozenset({"ssn", "social"})


def find_pii(text: str) -> list[Finding]:
    """What in the text looks like personal data, by KINDS."""
    return scanner().find(text)


@cache
def scanner() -> Scanner:
    """The rules, compiled once."""
    rules = (
        URL_CREDENTIALS,
        Rule(
            kind="email",
            # letters beyond ASCII without Unicode's tables, which swell the automaton
            pattern=r"[\w.%+\-\x{80}-\x{10ffff}]+@(?:[A-Za-z0-9\-\x{80}-\x{10ffff}]+\.)+"
            r"[A-Za-z\x{80}-\x{10ffff}]{2,24}",
            span=_email,
            sign=r"\S@[^\s.@]+\.",
        ),
        Rule(kind="iban", pattern=r"\b[A-Za-z]{2}\d{2}[ ]?[A-Za-z0-9]{4}", span=_iban),
        Rule(kind="birth_date", pattern=births.PATTERN, span=births.birth_date),
        Rule(kind="national_id", pattern=national.PATTERN, span=national.national_id),
        Rule(
            kind="card",
            pattern=r"\b(?:\d{12,19}|\d{4}(?:[ -]\d{4}){2}[ -]\d{1,7}|\d{4}[ -]\d{6}[ -]\d{4,5})\b",
            span=_card,
        ),
        Rule(kind="ssn", pattern=r"\b(?:\d{3}-\d{2}-\d{4}|\d{3} \d{2} \d{4}|\d{9})\b", span=_ssn),
        Rule(
            kind="mac",
            pattern=r"\b(?:[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}"
            r"|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2})\b",
            span=_mac,
        ),
        Rule(
            kind="ip",
            pattern=r"\b\d{1,3}(?:\.\d{1,3}){3}\b|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*",
            span=_ip,
        ),
        Rule(
            kind="phone",
            pattern=r"(?:\+|\b00[1-9]|\(\+?)?\d[\d().\-/ \x{2010}-\x{2013}\x{a0}]{4,22}\d"
            r"(?:\s?(?:x|ext\.?)\s?\d{1,6}\b)?",
            span=phones.phone,
            inside=phones.inside,
            sign=r"\d[\d().\-/ \x{2010}-\x{2013}\x{a0}]{4,}\d",
        ),
    )
    return Scanner(DETECTOR, rules)


def iban_valid(iban: str) -> bool:
    """Whether length and check digits are those of an IBAN; letters large, no spaces.

    Source: ISO 13616-1, ISO/IEC 7064 MOD 97-10.
    """
    if len(iban) != IBAN_LENGTHS.get(iban[:2]) or not iban.isascii():
        return False
    return int("".join(str(int(one, 36)) for one in iban[4:] + iban[:4])) % 97 == 1


def _email(text: str, match: Match) -> Span | None:
    start, end = match.start(), match.end()
    at = text.rindex("@", start, end)
    for place in range(start, at):
        if not (text[place].isalnum() or text[place] in "._%+-"):
            start = place + 1
    while end > at and not text[end - 1].isalnum():
        end -= 1
    while start < at and text[start] in ".%+-":
        start += 1
    local, domain = text[start:at], text[at + 1 : end]
    labels = domain.split(".")
    sound = len(labels) > 1 and all(_label(label) for label in labels) and len(labels[-1]) > 1
    dotted = not local or local.endswith(".") or ".." in local
    return (start, end) if sound and not dotted and apart(text, start, end, "$") else None


def _label(label: str) -> bool:
    bare = label.replace("-", "")
    return bare.isalnum() and label[0] != "-" and label[-1] != "-"


def _iban(text: str, match: Match) -> Span | None:
    """As many characters as its country's IBANs have, single spaces between them."""
    start = at = match.start()
    length = IBAN_LENGTHS.get(text[start : start + 2].upper(), 0)
    written = ""
    while len(written) < length and at < len(text):
        letter = text[at]
        if letter.isascii() and letter.isalnum():
            written += letter
        elif letter != " " or text[at - 1] == " ":
            return None
        at += 1
    if not apart(text, start, at) or not iban_valid(written.upper()):
        return None
    return start, at


def _card(text: str, match: Match) -> Span | None:
    start, end = match.start(), match.end()
    digits = "".join(letter for letter in text[start:end] if letter.isdigit())
    known = any(
        low <= int(digits[: len(str(low))]) <= high and len(digits) in lengths
        for low, high, lengths in CARDS
    )
    alone = apart(text, start, end) and not decimal(text, start, end)
    return (start, end) if known and alone and luhn(digits) else None


def _ssn(text: str, match: Match) -> Span | None:
    start, end = match.start(), match.end()
    digits = "".join(letter for letter in text[start:end] if letter.isdigit())
    plain = end - start == len(digits)
    if plain and not cued(text, start, SSN_CUES):
        return None
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    given = area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"
    return (start, end) if given and apart(text, start, end, "-") else None


def _mac(text: str, match: Match) -> Span | None:
    """A device's address, neither that of all nor of none."""
    start, end = match.start(), match.end()
    digits = {sign for sign in text[start:end].lower() if sign.isalnum()}
    named = len(digits) > 1 and bool(digits & set("0123456789"))
    return (start, end) if named and apart(text, start, end, ":-") else None


def _ip(text: str, match: Match) -> Span | None:
    start, end = match.start(), match.end()
    while end > start and text[end - 1] in ":." and text[end - 2 : end] != "::":
        end -= 1
    written = text[start:end]
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        return None
    if address.is_loopback or address.is_unspecified or not apart(text, start, end):
        return None
    if address.version == 4:
        part = decimal(text, start, end) or _versioned(text, start)
        return None if part else (start, end)
    groups = [group for group in written.split(":") if group] or [""]
    # `a::b` and `Face::add` are addresses to a parser and operators to everyone else
    named = len(groups) >= 4 or (len(groups[0]) >= 3 and any(map(str.isdigit, written)))
    return (start, end) if named else None


def _versioned(text: str, start: int) -> bool:
    before = text[max(0, start - 10) : start].lower().rstrip()
    return before.endswith(("version", "release", "v.", "build"))
