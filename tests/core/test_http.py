"""Replies that end, and keys that nobody says."""

from __future__ import annotations

import io
import json
from http.client import IncompleteRead
from itertools import count

import pytest

from tests.speaking import speaking
from tutelage.core.http import Deadline, Key, Refused, beginning, post, read_within, words_of

SECRET = "sk-abc/DEF+0123456789"


class Drip:
    """A body that comes a byte at a time, and never ends."""

    def __init__(self) -> None:
        self.sent = 0

    def read1(self, amount: int = -1, /) -> bytes:
        self.sent += 1
        return b"x"


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("at_once", "drip"),
    [
        (b"", b"H"),
        (HEAD + b"Some-Header: ", b"x"),
        (HEAD, b"X: x\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (HEAD + b"\r\n", b"x"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"x: x\r\n"),
    ],
)
def test_a_server_that_drips_is_waited_for_no_longer_than_the_time_given(
    at_once: bytes, drip: bytes
) -> None:
    with speaking(at_once, drip) as url, pytest.raises(OSError, match=r"within 0\.3 s"):
        post(url, b"{}", Key(), 0.3)


@pytest.mark.parametrize("status", [400, 401, 500, 503])
def test_of_an_error_that_drips_is_told_what_came_in_time(status: int) -> None:
    head = f"HTTP/1.1 {status} No\r\n\r\nnot so".encode()
    with speaking(head, b"o") as url, pytest.raises(Refused, match=f"answered {status}: not so*$"):
        post(url, b"{}", Key(), 0.3)


def test_another_address_is_not_asked() -> None:
    with speaking(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as there:
        assert post(there, b"{}", Key(SECRET), 5) == b"{}"
        for status in (301, 302, 303, 307, 308):
            head = f"HTTP/1.1 {status} Moved\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n"
            with speaking(head.encode()) as url, pytest.raises(Refused, match=f"{status}$"):
                post(url, b"{}", Key(SECRET), 5)


@pytest.mark.parametrize(
    "said",
    [
        f"HTTP/1.1 401 No\r\n\r\nno such key: {SECRET}.",
        f"HTTP/1.1 401 {SECRET}\r\nX-Key: {SECRET}\r\n\r\n{SECRET}{SECRET}",
        f"HTTP/1.1 500 No\r\n\r\n{json.dumps({'key': SECRET}).replace('/', chr(92) + '/')}",
        f"HTTP/1.1 400 No\r\n\r\n{'x ' * 90}{SECRET}",
        f"HTTP/1.1 400 No\r\n\r\n{' ' * ((1 << 16) - 12)}{SECRET}",
        "HTTP/1.1 503 No\r\nContent-Length: 99\r\n\r\n?key=sk-abc%2FDEF%2B0123456789",
        f"{SECRET}\r\n\r\n",
        f"HTTP/1.1 {SECRET}\r\n\r\n",
        f"HTTP/{SECRET} 200\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{SECRET}\r\n",
    ],
)
def test_a_server_that_says_the_key_is_not_quoted(said: str) -> None:
    with speaking(said.encode()) as url, pytest.raises(OSError) as told:
        post(url, b"{}", Key(SECRET), 5)
    assert "sk-abc" not in str(told.value)
    assert "0123456789" not in str(told.value)


def test_a_key_is_found_however_it_is_written() -> None:
    key = Key('a"b/c d&1234')
    for form in ('a"b/c d&1234', 'a\\"b/c d&1234', "a%22b%2Fc%20d%261234", "a&quot;b/c d&amp;1234"):
        assert key.unsaid(f"<{form}>") == "<[key]>"
    assert key.unsaid('cut at a"b/c d&1') == "cut at [key]"
    assert key.unsaid('only a"b/c') == 'only a"b/c'
    assert Key().unsaid("nothing") == "nothing"


def test_a_short_key_is_one_where_it_stands_alone() -> None:
    key = Key("EMPTY")
    assert key.unsaid("key EMPTY: EMPTYING is no key") == "key [key]: EMPTYING is no key"
    assert beginning(b"bad key\n EMPTY", key) == "bad key [key]"


def test_a_key_is_not_shown_with_what_holds_it() -> None:
    assert SECRET not in repr(Key(SECRET))


def test_a_body_that_drips_is_read_no_longer_than_the_time_given() -> None:
    drip, seconds = Drip(), count()  # a second goes by at every look
    deadline = Deadline(5, lambda: float(next(seconds)))
    with pytest.raises(TimeoutError, match="did not end within 5 s"):
        read_within(drip, deadline)
    assert drip.sent == 5
    seconds = count()
    assert words_of(Drip(), Key(), Deadline(5, lambda: float(next(seconds)))) == "xxxxx"


def test_a_reply_is_read_whole_and_none_without_end() -> None:
    soon = Deadline(60)
    assert read_within(io.BufferedReader(io.BytesIO(b"x" * 200_000)), soon) == b"x" * 200_000
    with pytest.raises(OSError, match="larger than 1,000 bytes"):
        read_within(io.BufferedReader(io.BytesIO(b"x" * 2000)), soon, most=1000)


def test_what_a_server_says_of_an_error_may_be_cut_off() -> None:
    class Cut(io.BytesIO):
        def read1(self, amount: int | None = -1, /) -> bytes:
            raise IncompleteRead(b"so f")

    for body, words in ((io.BytesIO(b"so\nfar"), "so far"), (Cut(), "")):
        assert words_of(body, Key(), Deadline(60)) == words


def test_a_key_is_sent_without_blanks_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "abc\n")
    assert Key.of("KEY").headers == {"Authorization": "Bearer abc"}
    assert Key.of(None).headers == {}
    for value, problem in (
        ("", "is empty"),
        (" \n", "is empty"),
        ("a\nbc", "no header"),
        ("ä", "no"),
    ):
        monkeypatch.setenv("KEY", value)
        with pytest.raises(LookupError, match=problem) as caught:
            Key.of("KEY")
        assert "bc" not in str(caught.value)
        assert "ä" not in str(caught.value)
    monkeypatch.delenv("KEY")
    with pytest.raises(LookupError, match="KEY is not set"):
        Key.of("KEY")
