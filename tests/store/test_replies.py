"""Replies kept on file: what died while it was written is asked again, what is broken is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tutelage.core.errors import StoreError
from tutelage.store.replies import Replies, Reply


def test_lines_that_are_no_replies_are_named_together(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    for digest in ("a", "b"):
        Replies.at(path).keep(Reply(digest=digest, text="yes"))
    whole = path.read_bytes()
    path.write_bytes(whole + b'not json\n{"digest": "c", "text": "\xff"}\n' + whole[:9])

    with pytest.raises(StoreError) as caught:
        Replies.at(path)

    assert caught.value.where == "replies/j.jsonl"
    assert [one.where for one in caught.value.rows] == ["line 3", "line 4"]
    path.write_bytes(b"\n" + whole + b"\r\n" + whole[:9])  # as an editor leaves them taken out
    found = Replies.at(path)
    assert [found.find(one) is not None for one in "abc"] == [True, True, False]
