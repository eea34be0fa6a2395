"""Rows are drawn from seed and step alone, at the weights of the phase."""

from pathlib import Path

import numpy as np
import pytest

from tutelage.bases.batches import PHASES, Batches, Phase


def shards(folder: Path) -> None:
    """`books`: 1 2 3 …; `calls`: documents 9 9 9 9 0, each of which begins with 8."""
    np.arange(1, 400, dtype=np.uint16).tofile(folder / "books.bin")
    np.asarray([8, 9, 9, 9, 0] * 60, dtype=np.uint16).tofile(folder / "calls.bin")


def phases(main: dict[str, float], last: dict[str, float]) -> tuple[Phase, ...]:
    return (Phase(until=0.8, weights=main), Phase(until=1.0, weights=last))


def test_a_step_draws_the_same_rows_whatever_came_before(tmp_path: Path) -> None:
    shards(tmp_path)
    mix = phases({"books": 1, "calls": 1}, {"calls": 1})
    one, other = Batches(tmp_path, mix, seed=3), Batches(tmp_path, mix, seed=3)
    for step in range(5):
        other.batch(step, 4, 16)
    assert np.array_equal(one.batch(9, 6, 16), other.batch(9, 6, 16))
    assert not np.array_equal(one.batch(9, 6, 16), one.batch(10, 6, 16))
    assert not np.array_equal(one.batch(9, 6, 16), Batches(tmp_path, mix, seed=4).batch(9, 6, 16))


def test_rows_hold_one_token_more_than_their_length(tmp_path: Path) -> None:
    shards(tmp_path)
    drawn = Batches(tmp_path, phases({"books": 1}, {"books": 1})).batch(0, 3, 8)
    assert drawn.shape == (3, 9)
    assert drawn.dtype == np.int64
    assert (np.diff(drawn) == 1).sum() >= 3 * 8 - 3  # running text; a wrap costs one step a row


def test_conversations_are_read_from_their_start(tmp_path: Path) -> None:
    shards(tmp_path)
    drawn = Batches(tmp_path, phases({"calls": 1}, {"calls": 1})).batch(1, 20, 12)
    assert set(drawn[:, 0].tolist()) == {8}


def test_the_phase_follows_progress(tmp_path: Path) -> None:
    shards(tmp_path)
    batches = Batches(tmp_path, phases({"books": 1}, {"calls": 1}))
    assert 8 not in batches.batch(0, 8, 4, 0.79)[:, 0] or 9 not in batches.batch(0, 8, 4, 0.79)
    assert set(batches.batch(0, 8, 4, 0.8)[:, 0].tolist()) == {8}
    assert set(batches.batch(0, 8, 4, 1.0)[:, 0].tolist()) == {8}


def test_components_come_at_their_weights(tmp_path: Path) -> None:
    shards(tmp_path)
    batches = Batches(tmp_path, phases({"books": 3, "calls": 1}, {"calls": 1}))
    starts = np.concatenate([batches.batch(step, 50, 4) for step in range(40)])
    calls = (starts[:, :4] == [8, 9, 9, 9]).all(axis=1).mean()
    assert calls == pytest.approx(0.25, abs=0.04)


def test_a_short_shard_wraps(tmp_path: Path) -> None:
    np.asarray([5, 6, 0], dtype=np.uint16).tofile(tmp_path / "books.bin")
    drawn = Batches(tmp_path, phases({"books": 1}, {"books": 1})).batch(0, 1, 8)
    assert set(drawn[0].tolist()) == {0, 5, 6}


def test_both_phases_weigh_to_a_hundred() -> None:
    assert [sum(phase.weights.values()) for phase in PHASES] == [100, 100]
