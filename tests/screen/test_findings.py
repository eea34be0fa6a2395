"""What holds of every detector, whatever it looks for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.core.finding import Finding
from tutelage.screen.injection import find_injections
from tutelage.screen.pii import find_pii
from tutelage.screen.secrets import find_secrets

Find = Callable[[str], Sequence[Finding]]
LONG = 200_000  # characters, about
PIECES = st.sampled_from(
    ["a@b.co", "::", "1.2.3.4", "4111", " ", "-", "+49", "(", "eyJ", "key=", "é"]
)


@pytest.mark.parametrize("find", [find_pii, find_secrets, find_injections])
@pytest.mark.parametrize(
    "piece",
    [
        *("1 ", "a.", "1:", "@a.", "GB69", "0-", "x@y.zz ", "a:"),
        *("password=", "eyJ", "-----BEGIN PRIVATE KEY-----", "AKIA"),
    ],
)
def test_a_long_text_takes_time_in_proportion(find: Find, piece: str) -> None:
    began = time.process_time()
    find(piece * (LONG // len(piece)))
    assert time.process_time() - began < 5


@pytest.mark.parametrize("find", [find_pii, find_secrets, find_injections])
@settings(max_examples=200, derandomize=True, deadline=None)
@given(text=st.lists(PIECES | st.characters(), max_size=30).map("".join))
def test_any_text_gives_findings_in_order_that_stand_apart(find: Find, text: str) -> None:
    spans = [(one.start, one.end) for one in find(text)]
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
