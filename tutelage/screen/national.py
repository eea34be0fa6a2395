"""National numbers of persons, told by the check digits their states publish.

A number that any row of digits could be, such as nine digits with one check digit, counts only
where a word before it says what it is. `ssn` has a rule of its own: it has no check digit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from tutelage.screen.digits import cued, luhn
from tutelage.screen.scan import Match, Span, apart

ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
HETU = "0123456789ABCDEFHJKLMNPRSTUVWXY"
DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
CURP = "0123456789ABCDEFGHIJKLMN\u00d1OPQRSTUVWXYZ"
VERHOEFF = (  # products of the dihedral group of ten
    *("0123456789", "1234067895", "2340178956", "3401289567", "4012395678"),
    *("5987604321", "6598710432", "7659821043", "8765932104", "9876543210"),
)
TURNS = (
    *("0123456789", "1576283094", "5803796142", "8916043527"),
    *("9453126870", "4286573901", "2793806415", "7046913258"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One state's number: how it is written, how it is checked, and which words must lead to it."""

    form: str
    valid: Callable[[str], bool]  # given letters and digits alone, letters large
    cues: frozenset[str] = field(default_factory=frozenset)


def national_id(text: str, match: Match) -> Span | None:
    """The stretch if it is a number of some state."""
    start, end = match.start(), match.end()
    written = text[start:end]
    bare = "".join(sign for sign in written if sign.isalnum()).upper()
    if not apart(text, start, end, "-"):
        return None
    for state, form in zip(STATES, _forms(), strict=True):
        if form.fullmatch(written) is None or (state.cues and not cued(text, start, state.cues)):
            continue
        if state.valid(bare):
            return start, end
    return None


@cache
def _forms() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(state.form, re.ASCII) for state in STATES)


def _weighed(digits: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _day(day: str, month: str) -> bool:
    return 1 <= int(day) <= 31 and 1 <= int(month) <= 12


def _nhs(bare: str) -> bool:
    return (11 - _weighed(bare, range(10, 1, -1)) % 11) % 11 == int(bare[9])


def _dni(bare: str) -> bool:
    number = str("XYZ".index(bare[0])) + bare[1:-1] if bare[0] in "XYZ" else bare[:-1]
    return DNI[int(number) % 23] == bare[-1]


def _codice(bare: str) -> bool:
    values = [int(sign, 36) - (0 if sign.isdigit() else 10) for sign in bare[:15]]
    total = sum(value if place % 2 else ODD[value] for place, value in enumerate(values))
    return total % 26 == ord(bare[15]) - ord("A")


def _nir(bare: str) -> bool:
    digits = bare.replace("2A", "19", 1) if bare[5:7] == "2A" else bare
    digits = digits.replace("2B", "18", 1) if bare[5:7] == "2B" else digits
    month = int(digits[3:5])
    known = 1 <= month <= 12 or 20 <= month <= 42 or month >= 50
    return known and 97 - int(digits[:13]) % 97 == int(digits[13:])


def _steuer(bare: str) -> bool:
    if len(set(bare[:10])) not in (8, 9):
        return False
    product = 10
    for digit in bare[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(bare[10])


def _bsn(bare: str) -> bool:
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return _weighed(bare, weights) % 11 == 0


def _pesel(bare: str) -> bool:
    if not _day(bare[4:6], f"{int(bare[2:4]) % 20}"):
        return False
    return _weighed(bare, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def _cpf(bare: str) -> bool:
    if len(set(bare)) == 1:
        return False
    first = _weighed(bare[:9], range(10, 1, -1)) * 10 % 11 % 10
    second = _weighed(bare[:10], range(11, 1, -1)) * 10 % 11 % 10
    return bare[9:] == f"{first}{second}"


def _aadhaar(bare: str) -> bool:
    check = 0
    for place, digit in enumerate(reversed(bare)):
        check = int(VERHOEFF[check][int(TURNS[place % 8][int(digit)])])
    return check == 0


def _resident(bare: str) -> bool:
    if not _day(bare[12:14], bare[10:12]):
        return False
    weights = [pow(2, place, 11) for place in range(17, 0, -1)]
    return "10X98765432"[_weighed(bare, weights) % 11] == bare[17]


def _personnummer(bare: str) -> bool:
    short = bare[-10:]
    return _day(short[4:6], short[2:4]) and luhn(short)


def _hetu(bare: str) -> bool:
    digits = bare[:6] + bare[-4:-1]  # a letter between them tells the century
    return _day(bare[:2], bare[2:4]) and HETU[int(digits) % 31] == bare[-1]


def _fodselsnummer(bare: str) -> bool:
    if not _day(bare[:2], bare[2:4]):
        return False
    first = _weighed(bare, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11
    return first == 0 and _weighed(bare, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def _rijksregister(bare: str) -> bool:
    if not _day(bare[4:6], bare[2:4]):
        return False
    rest = int(bare[9:])
    return rest in (97 - int(bare[:9]) % 97, 97 - int("2" + bare[:9]) % 97)


def _sin(bare: str) -> bool:
    return luhn(bare)


def _tfn(bare: str) -> bool:
    return _weighed(bare, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def _curp(bare: str) -> bool:
    total = sum(CURP.index(sign) * (18 - place) for place, sign in enumerate(bare[:17]))
    return (10 - total % 10) % 10 == int(bare[17])


def _kimlik(bare: str) -> bool:
    ones = [int(digit) for digit in bare]
    tenth = (sum(ones[0:9:2]) * 7 - sum(ones[1:8:2])) % 10
    return tenth == ones[9] and sum(ones[:10]) % 10 == ones[10]


def _rrn(bare: str) -> bool:
    weights = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
    return _day(bare[4:6], bare[2:4]) and (11 - _weighed(bare, weights) % 11) % 10 == int(bare[12])


# Source: what each state's office publishes of its numbers
STATES = (
    State(form=r"\d{3}[ -]?\d{3}[ -]?\d{4}", valid=_nhs, cues=frozenset({"nhs"})),  # England
    State(form=r"(?:\d{8}|[XYZxyz]-?\d{7})-?[A-Za-z]", valid=_dni),  # Spain
    State(form=r"(?i)[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", valid=_codice),  # Italy
    State(form=r"[12] ?\d\d ?\d\d ?\d[\dAB] ?\d{3} ?\d{3} ?\d\d", valid=_nir),  # France
    State(  # Germany
        form=r"[1-9]\d ?\d{3} ?\d{3} ?\d{3}",
        valid=_steuer,
        cues=frozenset({"steuer", "steuerid", "steueridentifikationsnummer", "idnr", "tin", "tax"}),
    ),
    State(  # Netherlands
        form=r"\d{4}\.?\d{2}\.?\d{3}",
        valid=_bsn,
        cues=frozenset({"bsn", "burgerservicenummer", "sofinummer"}),
    ),
    State(form=r"\d{11}", valid=_pesel, cues=frozenset({"pesel"})),  # Poland
    State(form=r"\d{3}\.\d{3}\.\d{3}-\d{2}", valid=_cpf),  # Brazil
    State(form=r"\d{11}", valid=_cpf, cues=frozenset({"cpf"})),
    State(  # India
        form=r"[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}",
        valid=_aadhaar,
        cues=frozenset({"aadhaar", "aadhar", "uid", "uidai"}),
    ),
    State(form=r"\d{6}(?:19|20)\d{9}[\dXx]", valid=_resident),  # China
    State(form=r"(?:19|20)?\d{6}[-+]\d{4}", valid=_personnummer),  # Sweden
    State(form=r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]", valid=_hetu),  # Finland
    State(form=r"\d{6} ?\d{5}", valid=_fodselsnummer),  # Norway
    State(form=r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d|\d{11}", valid=_rijksregister),  # Belgium
    State(  # Canada
        form=r"[1-79]\d{2}[ -]?\d{3}[ -]?\d{3}",
        valid=_sin,
        cues=frozenset({"sin", "nas", "insurance", "assurance"}),
    ),
    State(  # Australia
        form=r"\d{3} ?\d{3} ?\d{3}", valid=_tfn, cues=frozenset({"tfn", "tax"})
    ),
    State(form=r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d", valid=_curp),  # Mexico
    State(  # Turkey
        form=r"[1-9]\d{10}", valid=_kimlik, cues=frozenset({"kimlik", "tckn", "tc"})
    ),
    State(form=r"\d{6}-[1-8]\d{6}", valid=_rrn),  # Korea
)
PATTERN = r"\b(?:" + "|".join(state.form for state in STATES) + r")\b"
