"""`docs/coverage.md` names only tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (?P<thing>.+?) \| (?P<test>\S*) ?\|$", re.MULTILINE)


def test_every_row_names_a_test_that_exists() -> None:
    page = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    rows = [row for row in ROW.finditer(page) if row["thing"] not in ("thing", "---")]
    assert len(rows) > 50
    missing = [row["thing"] for row in rows if not exists(row["test"])]
    assert not missing


def exists(test: str) -> bool:
    path, _, name = test.partition("::")
    file = ROOT / path
    if not path.startswith("tests/") or not file.is_file():
        return False
    return not name or f"def {name}(" in file.read_text(encoding="utf-8")
