"""Personal data that has a form is found where it stands, and what only looks like it is not."""

from __future__ import annotations

import pytest

from tutelage.core.finding import redacted
from tutelage.screen.digits import luhn
from tutelage.screen.pii import IBAN_LENGTHS, KINDS, find_pii, iban_valid


def found(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in find_pii(text)]


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("Write to ann.lee+x@mail.example.co.uk.", "email", "ann.lee+x@mail.example.co.uk"),
        ("mail “jörg@büro.de”", "email", "jörg@büro.de"),
        ("foo—bar@baz.com!", "email", "bar@baz.com"),
        ("from +49 30 901820 today", "phone", "+49 30 901820"),
        ("(212) 555-0143 ext. 12, please", "phone", "(212) 555-0143 ext. 12"),
        ("under 020 7946 0018.", "phone", "020 7946 0018"),
        ("my cell: 2813882583", "phone", "2813882583"),
        ("pay by 4111 1111 1111 1111, thanks", "card", "4111 1111 1111 1111"),
        ("amex 378282246310005", "card", "378282246310005"),
        ("to DE89 3704 0044 0532 0130 00 today", "iban", "DE89 3704 0044 0532 0130 00"),
        ("iban gb50mvfc38361978683032", "iban", "gb50mvfc38361978683032"),
        ("SSN 078-05-1120", "ssn", "078-05-1120"),
        ("her social security number is 078051120", "ssn", "078051120"),
        ("from 86.231.85.193:8080", "ip", "86.231.85.193"),
        ("at 2001:db8:0:0:0:0:2:1.", "ip", "2001:db8:0:0:0:0:2:1"),
        ("at fe80::1 locally", "ip", "fe80::1"),
        ("ftp://ann:pw1@host.example/x", "url_credentials", "ann:pw1"),
        ("the card 00:1a:2b:3c:4d:5e.", "mac", "00:1a:2b:3c:4d:5e"),
        ("at 001A.2B3C.4D5E", "mac", "001A.2B3C.4D5E"),
        ("she was born on 3 March 1984 in Rome", "birth_date", "3 March 1984"),
        ("DOB: 03/27/84", "birth_date", "03/27/84"),
        ("date of birth 1984-03-27.", "birth_date", "1984-03-27"),
        ("25 833387-Office", "phone", "25 833387"),
        ("Room 12 (555) 123-4567", "phone", "(555) 123-4567"),
        ("order 12345 555-123-4567", "phone", "555-123-4567"),
        ("in 2019 212-555-0143", "phone", "212-555-0143"),
    ],
)
def test_each_kind_is_found_where_it_stands(text: str, kind: str, words: str) -> None:
    assert found(text) == [(kind, words)]
    assert kind in KINDS


@pytest.mark.parametrize(
    "text",
    [
        "pay by 4111 1111 1111 1112",  # check digit
        "order 7992739871300000",  # no issuer
        "0.4111111111111111",
        "DE88 3704 0044 0532 0130 00",  # check digits
        "DE89370400440532013000X",
        "078-05-0000",
        "900-12-3456",
        "reference 078051120",
        "version 1.2.3.4",
        "1.2.3.4.5",
        "127.0.0.1 and 0.0.0.0 and ::1",
        "256.1.1.1",
        "std::vector a::b at 10:30:45",
        "on 2020-10-12 14:00 or 3/23/1940",
        "10 20 30 40 50 60 70 80",
        "part 12-555-123-4567-99 of 1.555-123-4567",
        "ids 1 555 123 4567 8 9 10 11, 2020-10-12 / 2021-10-13",
        "it costs 1 234 567 890.00",
        "2813882583",
        "the talk is on 3 March 1984",
        "DOB: 99/99/84",
        "00:00:00:00:00:00 and 00:1a:2b:3c:4d:5e:6f",
        "a@b and @name and a..b@c.de and x@-y.de",
        "https://host:8000/a@b",
        "https://user:$PASSWORD@host.example/",
        "",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_several_findings_stand_in_order_and_redact_to_their_kinds() -> None:
    text = "a@b.co, 4111111111111111 and ann@b.co"
    findings = find_pii(text)
    assert [one.detector for one in findings] == ["pii"] * 3
    assert redacted(text, findings) == "[EMAIL], [CARD] and [EMAIL]"


def test_a_lone_surrogate_does_not_hide_what_follows() -> None:
    assert found("\ud800 é a@b.co") == [("email", "a@b.co")]


def test_check_digits_are_those_of_the_standards() -> None:
    assert luhn("79927398713")
    assert not luhn("79927398710")
    assert iban_valid("GB82WEST12345698765432")
    assert not iban_valid("GB82WEST12345698765423")
    assert all(15 <= length <= 33 for length in IBAN_LENGTHS.values())


@pytest.mark.parametrize(
    "text",
    [
        "Tel: 555-123-4567 / 555-987-6543",
        "Phones: 555-123-4567 555-987-6543",
        "1: 555-123-4567 (555) 987-6543",
        "+49 30 901820 / +49 30 901821",
    ],
)
def test_two_numbers_side_by_side_are_both_found(text: str) -> None:
    assert [kind for kind, _ in found(text)] == ["phone", "phone"]
    assert all(words in text.split(" / ") or words in text for _, words in found(text))
    assert {len(words) for _, words in found(text)} <= {12, 13, 14}
