"""Sheets as spreadsheets write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tutelage.store.sheets import read_rows, same_cell, write_sheet


@pytest.mark.parametrize(
    "text",
    [
        "sep=,\r\nline,said\r\nL1,yes\r\n",
        "SEP=|\nline|said\nL1|yes\n",
        "\ufeffsep=;\nline;said\nL1;yes\n",
    ],
)
def test_a_sign_that_the_first_line_names_separates_the_cells(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(text, encoding="utf-8", newline="")

    assert [dict(one.cells) for one in read_rows(path)] == [{"line": "L1", "said": "yes"}]


@pytest.mark.parametrize(
    "text",
    ["1", "007", "1234567890123456", "12345e678901", "=1+1", "-x", "'5", "'=1", "''", "'a", "Ann"],
)
def test_names_and_texts_come_back_as_they_were_written(tmp_path: Path, text: str) -> None:
    for name in ("s.csv", "s.jsonl"):
        write_sheet(tmp_path / name, ["line", "rater"], [{"line": text, "rater": text}])
        (cells,) = [one.cells for one in read_rows(tmp_path / name)]
        assert same_cell(cells["line"], text)
        assert dict(cells) == {"line": text, "rater": text}
