"""Keys that a header can carry, and replies that end."""

from __future__ import annotations

import io
from email.message import Message
from http.client import IncompleteRead
from itertools import count
from urllib.error import HTTPError

import pytest

from tutelage.core.http import bearer, read_within, words_of


class Drip:
    """A body that comes a byte at a time, and never ends."""

    def __init__(self) -> None:
        self.sent = 0

    def read1(self, amount: int = -1, /) -> bytes:
        self.sent += 1
        return b" "


def test_a_reply_that_drips_is_waited_for_no_longer_than_the_time_given() -> None:
    drip, seconds = Drip(), count()  # a second goes by at every look
    with pytest.raises(TimeoutError, match="did not end within 5 s"):
        read_within(drip, 5, clock=lambda: float(next(seconds)))
    assert drip.sent == 6


def test_a_reply_is_read_whole_and_none_without_end() -> None:
    assert read_within(io.BufferedReader(io.BytesIO(b"x" * 200_000)), 5) == b"x" * 200_000
    with pytest.raises(OSError, match="larger than 1,000 bytes"):
        read_within(io.BufferedReader(io.BytesIO(b"x" * 2000)), 5, most=1000)


def test_what_a_server_says_of_an_error_may_be_cut_off() -> None:
    class Cut(io.BytesIO):
        def read(self, amount: int | None = -1, /) -> bytes:
            raise IncompleteRead(b"so f")

    for body, words in ((io.BytesIO(b"so\nfar"), "so far"), (Cut(), "")):
        error = HTTPError("http://127.0.0.1", 503, "", Message(), body)
        assert words_of(error) == words


def test_a_key_is_sent_without_blanks_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "abc\n")
    assert bearer("KEY") == "Bearer abc"
    for value, problem in (
        ("", "is empty"),
        (" \n", "is empty"),
        ("a\nbc", "no header"),
        ("ä", "no"),
    ):
        monkeypatch.setenv("KEY", value)
        with pytest.raises(LookupError, match=problem) as caught:
            bearer("KEY")
        assert "bc" not in str(caught.value)
        assert "ä" not in str(caught.value)
    monkeypatch.delenv("KEY")
    with pytest.raises(LookupError, match="KEY is not set"):
        bearer("KEY")
