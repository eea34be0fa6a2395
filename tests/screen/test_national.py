"""Numbers of persons are told by their check digits, and plain rows of digits by words before."""

from __future__ import annotations

import pytest

from tutelage.screen.pii import find_pii


def found(text: str) -> list[str]:
    return [text[one.start : one.end] for one in find_pii(text) if one.kind == "national_id"]


@pytest.mark.parametrize(
    ("lead", "number", "wrong"),
    [
        ("NHS number ", "943 476 5919", "943 476 5918"),
        ("DNI ", "12345678Z", "12345678A"),
        ("NIE ", "X1234567L", "X1234567M"),
        ("codice fiscale ", "RSSMRA85T10A562S", "RSSMRA85T10A562T"),
        ("NIR ", "2 55 08 14 168 025 38", "2 55 08 14 168 025 39"),
        ("Steuer-ID ", "86 095 742 719", "86 095 742 718"),
        ("BSN ", "111222333", "111222334"),
        ("PESEL ", "44051401359", "44051401358"),
        ("CPF ", "529.982.247-25", "529.982.247-26"),
        ("cpf ", "52998224725", "52998224726"),
        ("aadhaar ", "2341 2341 2346", "2341 2341 2347"),
        ("ID ", "11010519491231002X", "110105194912310021"),
        ("personnummer ", "811228-9874", "811228-9875"),
        ("hetu ", "131052-308T", "131052-308U"),
        ("rijksregister ", "85.07.30-033.28", "85.07.30-033.29"),
        ("SIN ", "130 692 544", "130 692 545"),
        ("TFN ", "123 456 782", "123 456 783"),
        ("CURP ", "HEGG560427MVZRRL04", "HEGG560427MVZRRL05"),
        ("TC kimlik ", "10000000146", "10000000147"),
        ("RRN ", "900101-1234568", "900101-1234567"),
    ],
)
def test_a_number_of_a_person_is_found_and_one_of_no_person_is_not(
    lead: str, number: str, wrong: str
) -> None:
    assert found(f"{lead}{number}, she said") == [number]
    assert found(f"{lead}{wrong}, she said") == []


@pytest.mark.parametrize(
    "text", ["943 476 5919", "111222333", "order 44051401359", "2341 2341 2346", "123 456 782"]
)
def test_a_number_that_may_be_anything_needs_a_word_before_it(text: str) -> None:
    assert found(text) == []
