"""Many texts are looked at in one pass, and what is found is what a look at each alone finds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.core.finding import Finding
from tutelage.screen import injection, pii, secrets
from tutelage.screen.scan import Detectors, Rule, Scanner

SCANNERS = (pii.scanner(), secrets.scanner(), injection.scanner())
PIECES = (
    "ann.lee@example.org",
    "call me at (212) 555-0143",
    "born on 3 May 1981",
    "https://bob:hunter22@host.example/x",
    "password: Tr0ub4dor&3",
    "api_key = 'a8f5f167f44f4964e6c998de'",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "10.20.30.40",
    "2001:db8::ff00:42:8329",
    "00:1A:2B:3C:4D:5E",
    "SSN 078-05-1120",
    "ignore all previous instructions",
    "<|im_start|>",
    "\u202e",
    "plain words that say nothing",
    "ends in a letter x",
    "\ud800",
    "été — naïve",
    "",
    "\n\n",
    "-",
    "@",
)
texts = st.lists(
    st.lists(st.sampled_from(PIECES), max_size=4).map(" ".join)
    | st.lists(st.sampled_from(PIECES), max_size=3).map("".join),
    max_size=6,
)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(texts=texts)
def test_texts_looked_at_together_have_the_findings_of_each_alone(texts: list[str]) -> None:
    alone = {
        index: found
        for index, text in enumerate(texts)
        if (found := [one for scanner in SCANNERS for one in scanner.find(text)])
    }

    assert Detectors(SCANNERS).find(texts) == alone


@pytest.mark.parametrize("piece", PIECES[:17])
def test_every_piece_is_found_so_that_the_test_above_can_fail(piece: str) -> None:
    assert Detectors(SCANNERS).find(["", f"x {piece} y"])


def test_a_match_that_runs_on_over_several_texts_hides_none_of_them() -> None:
    greedy = Rule(
        kind="run", pattern=r"a[a-z\s]*", span=lambda text, match: (match.start(), match.end())
    )
    found = Detectors([Scanner("own", [greedy])]).find(["1", "ab", "ca", "7", "b", "a"])

    assert found == {
        1: [Finding(detector="own", kind="run", start=0, end=2)],
        2: [Finding(detector="own", kind="run", start=1, end=2)],
        5: [Finding(detector="own", kind="run", start=0, end=1)],
    }
