from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.journey.project import build
from tutelage.core.recipe import load
from tutelage.curate.run import run as curate
from tutelage.render.pack import PackedRows
from tutelage.store.run import Run
from tutelage.train import packing
from tutelage.train.packing import packed
from tutelage.train.run import gather


def places(rows: PackedRows) -> list[list[int]]:
    return [one.tolist() for one in (rows.numbers, rows.trees, rows.rows, rows.sizes)]


def said(folder: Path, rows_tokens: int = 512, seed: int = 7) -> list[list[int]]:
    """Which lesson stands where, as training is given it."""
    recipe = load(folder / "recipe.yaml", (f"seed={seed}",))
    assert recipe.curate is not None
    assert recipe.train is not None
    with Run.open(recipe) as run:
        tokens = gather(recipe.train, curate(recipe.curate, {}, run), run).tokens
        rows, stage_of, held = packed(tokens, rows_tokens, run, alone=False)
    assert stage_of.dtype == rows.sizes.dtype == np.int32
    assert rows[0].tokens.size == rows.sizes[0]
    return [*places(rows), stage_of.tolist(), *places(held)]


def kept(folder: Path) -> list[Path]:
    return sorted((folder / ".tutelage" / packing.FOLDER).glob("*.npz"))


@pytest.fixture
def no_packing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("packed again")

    return lambda: monkeypatch.setattr(packing, "packed_apart", refuse)


def test_the_next_start_reads_which_lesson_stands_where(
    tmp_path: Path, no_packing: Callable[[], None]
) -> None:
    folder = build(tmp_path)
    first = said(folder)
    assert len(kept(folder)) == 1
    no_packing()
    assert said(folder) == first


def test_another_seed_or_length_is_packed_anew(tmp_path: Path) -> None:
    folder = build(tmp_path)
    first = said(folder)
    assert said(folder, rows_tokens=700) != first
    assert said(folder, seed=8) != first
    assert len(kept(folder)) == 3
    assert said(folder) == first


@pytest.mark.parametrize("fault", ["cut", "flipped", "empty"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, fault: str) -> None:
    folder = build(tmp_path)
    first = said(folder)
    (path,) = kept(folder)
    whole = path.read_bytes()
    middle = len(whole) // 2
    changed = bytes([whole[middle] ^ 1])
    flipped = whole[:middle] + changed + whole[middle + 1 :]
    path.write_bytes({"cut": whole[:middle], "flipped": flipped, "empty": b""}[fault])
    assert said(folder) == first
    assert path.read_bytes() == whole


def test_the_newest_files_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "KEPT", 2)
    folder = build(tmp_path)
    for length in (500, 600, 700, 800):
        said(folder, rows_tokens=length)
    assert len(kept(folder)) == 2


def test_a_file_that_another_process_removes_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "KEPT", 1)
    folder = build(tmp_path)
    said(folder, rows_tokens=500)
    gone = kept(folder)[0].with_name("gone.npz")
    gone.symlink_to(tmp_path / "nowhere")  # listed, and not there when it is looked at
    said(folder, rows_tokens=600)
    assert len(kept(folder)) == 1
    assert gone not in kept(folder)


def test_a_packing_of_another_version_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = build(tmp_path)
    first = said(folder)
    monkeypatch.setattr(packing, "VERSION", packing.VERSION + 1)
    assert said(folder) == first
    assert len(kept(folder)) == 2
