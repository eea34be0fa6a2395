from __future__ import annotations

import math

from tutelage.train.standing import Criterion, Standing, ended, overfitting, standing


def held(*values: float, metric: str = "validation_loss") -> list[dict[str, float]]:
    """Two steps a validation."""
    rows = [{"step": n + 1.0, "loss": 1.0} for n in range(2 * len(values))]
    for row, value in zip(rows[1::2], values, strict=True):
        row[metric] = value
    return rows


def test_the_best_step_has_the_least_validation_loss() -> None:
    assert standing(held(3.0, 2.0, 2.5), Criterion()) == Standing(step=4, value=2.0, since=1)
    assert standing([{"step": 1.0, "loss": 1.0}], Criterion()) == Standing()


def test_a_metric_may_be_better_the_higher_it_is() -> None:
    criterion = Criterion(metric="s.f1", better="higher", patience=1)
    rows = held(0.5, 0.7, 0.6, metric="s.f1")
    assert standing(rows, criterion) == Standing(step=4, value=0.7, since=1)
    assert ended(rows, criterion)


def test_training_ends_after_so_many_validations_without_a_better_one() -> None:
    criterion = Criterion(patience=2)
    assert not ended(held(3.0, 2.0, 2.5), criterion)
    assert ended(held(3.0, 2.0, 2.5, 2.0), criterion)
    assert not ended(held(3.0, 2.0, 2.5, 1.9), criterion)
    assert not ended(held(3.0, 4.0, 5.0, 6.0), Criterion())


def test_better_by_less_than_the_least_difference_is_not_better() -> None:
    assert standing(held(2.0, 1.95), Criterion(min_delta=0.1)).step == 2
    assert standing(held(2.0, 1.85), Criterion(min_delta=0.1)).step == 4


def test_what_is_not_a_number_is_never_the_best() -> None:
    assert standing(held(math.nan, 2.0), Criterion()) == Standing(step=4, value=2.0)


def test_validation_loss_that_rises_three_times_in_a_row_is_overfitting() -> None:
    assert overfitting(held(2.0, 1.0, 1.1, 1.2)) == ""
    told = overfitting(held(2.0, 1.0, 1.1, 1.2, 1.3))
    assert "to 1.3; it was least after step 4, 1" in told
    assert overfitting(held(2.0, 1.0, 1.1, 1.2, 1.3, 1.4)) == ""  # told once
    assert overfitting(held(2.0, 1.0, 1.1, 1.2, 1.1)) == ""


def test_a_training_loss_near_nothing_is_told_once() -> None:
    rows = [{"step": n + 1.0, "loss": 0.5 if n < 10 else 0.001} for n in range(40)]
    told = [n for n in range(1, 41) if overfitting(rows[:n])]
    assert len(told) == 1
    assert "known by heart" in overfitting(rows[: told[0]])
