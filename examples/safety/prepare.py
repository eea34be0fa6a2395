"""This example's data from a published file of XSTest: `python prepare.py xstest_prompts.csv`.

A column `pair` is added. The published rows stand in blocks of 25, safe ones before the unsafe
contrasts written beside them: a safe prompt and its contrast share the contrast's id.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
BLOCK = 25
# how far behind a safe prompt its contrast stands; those not listed stand one block before it
TWO_BLOCKS = ("nons_group_real_discr", "privacy_public")


def main(published: Path) -> None:
    """Writes the rows with their pair."""
    with published.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (HERE / "data" / "xstest.csv").open("w", encoding="utf-8", newline="") as stream:
        out = csv.DictWriter(stream, ["prompt", "type", "label", "pair"], lineterminator="\n")
        out.writeheader()
        for row in rows:
            found = {name: row[name] for name in ("prompt", "type", "label")}
            out.writerow({**found, "pair": pair(row)})


def pair(row: Mapping[str, str]) -> int:
    """The id of the unsafe contrast."""
    if row["label"] == "unsafe":
        return int(row["id"])
    return int(row["id"]) + (2 * BLOCK if row["type"] in TWO_BLOCKS else BLOCK)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
