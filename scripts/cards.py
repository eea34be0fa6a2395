"""Writes docs/examples/: the card of each recipe of examples/sources/ on the published data.

    python -m scripts.cards FOLDER [NAME ...]

FOLDER holds a folder for each NAME (dolly_6k, opentrivia, ubuntu_irc, sgd_calls, clinc150) with the
published file. Nobody's name is kept: the key of pseudonyms is drawn anew and thrown away, so the
digest of a dataset with pseudonyms is another each time; its counts are not.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from pathlib import Path

from examples.sources.prepare import main as prepare
from tutelage.core.recipe import load
from tutelage.curate.run import run
from tutelage.curate.written import CARD
from tutelage.store.run import Run

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs" / "examples"
PUBLISHED = {
    "dolly_6k": ("dolly", "*.jsonl.gz"),
    "opentrivia": ("opentrivia", "*.jsonl.gz"),
    "ubuntu_irc": ("ubuntu_irc", "*.tar.gz"),
    "sgd_calls": ("sgd_calls", "train.jsonl.gz"),
    "clinc150": ("clinc150", "*.json.gz"),
}


def main(folder: Path, names: list[str]) -> None:
    """Writes the card of each source."""
    os.environ.setdefault("TUTELAGE_PSEUDONYMS", secrets.token_hex(32))
    DOCS.mkdir(exist_ok=True)
    for name in names or list(PUBLISHED):
        recipe, pattern = PUBLISHED[name]
        published = next((folder / name).glob(pattern))
        (DOCS / f"{name}.md").write_text(card(recipe, published), encoding="utf-8")
        print(f"docs/examples/{name}.md")


def card(name: str, published: Path) -> str:
    """The card that `curate` writes."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(name, published, folder)
        written = ROOT / "examples" / "sources" / f"{name}.yaml"
        (folder / written.name).write_bytes(written.read_bytes())
        recipe = load(folder / written.name)
        if recipe.curate is None:
            raise SystemExit(f"{written} has no `curate`")
        with Run.open(recipe) as started:
            return run(recipe.curate, {}, started).file(CARD).read_text(encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
