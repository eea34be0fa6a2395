"""Files of labels as editors leave them: read for what they say, or told line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tutelage.core.errors import RowError
from tutelage.core.recipe import LabelledOutputs
from tutelage.score.judges import read_labels
from tutelage.score.labelled import read_labelled

KEYS = LabelledOutputs(labels="labels.jsonl", at_least=1, of_each=1)
PAIR = b'{"request": "a", "first": "b", "second": "c", "label": "%s"}'


def test_marks_blank_lines_and_capitals_are_no_faults(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"answer": "a", "label": "Refusal"}\r\n\r\n{"answer": "b", "label": " "}\r\n'
        b' \n{"answer": "c", "label": "ANSWER "}\n\n'
    )
    found = read_labelled(KEYS, path, "labels.jsonl")
    assert [(one.answer, one.label) for one in found.lines] == [("a", "refusal"), ("c", "answer")]

    path.write_bytes(b"\xef\xbb\xbf" + PAIR % b"First" + b"\r\n\n" + PAIR % b"tie" + b"\n \n")
    assert [(one.item, one.label) for one in read_labels(path, "labels.jsonl")] == [
        ("1", 1.0),
        ("3", 0.5),
    ]


def test_bytes_that_are_no_text_are_told_by_their_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    told = [("labels.jsonl:2", "it is not UTF-8: invalid start byte")]
    path.write_bytes(
        b'{"answer": "a", "label": "answer"}\n{"answer": "a\xff", "label": "answer"}\n'
    )
    with pytest.raises(RowError) as outputs:
        read_labelled(KEYS, path, "labels.jsonl")
    path.write_bytes(PAIR % b"tie" + b"\n" + (PAIR % b"tie").replace(b'"b"', b'"\xff"') + b"\n")
    with pytest.raises(RowError) as pairs:
        read_labels(path, "labels.jsonl")

    for raised in (outputs, pairs):
        assert [(one.where, one.problem) for one in raised.value.rows] == told
