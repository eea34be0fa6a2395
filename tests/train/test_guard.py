from __future__ import annotations

import math

import pytest
import torch

from tutelage.core.errors import TrainingError
from tutelage.core.ledger import Decision, Reason
from tutelage.core.recipe import Train
from tutelage.train.guard import (
    MOST_SKIPPED,
    Judgement,
    check_moves,
    check_weights,
    entries,
    finite,
    judge,
    marks,
    spikes,
    warning,
)

CALM = [{"step": float(n), "loss": 1.0 + 0.02 * (n % 5)} for n in range(1, 31)]
SKIPPED = {"step": 9.0, "skipped": 1.0}


def section(**keys: str) -> Train:
    return Train.model_validate({"base": "b", **keys})


def names() -> list[str]:
    return ["a1", "b2"]


@pytest.mark.parametrize(("loss", "norm"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.inf)])
def test_a_loss_that_is_not_finite_stops_and_names_the_rows_of_its_step(
    loss: float, norm: float
) -> None:
    with pytest.raises(TrainingError) as caught:
        judge(section(), loss, norm, CALM, names)
    assert "step 31" in caught.value.message
    assert "on_nan: skip" in caught.value.hint
    assert [row.where for row in caught.value.rows] == ["a1", "b2"]


def test_a_step_that_is_not_finite_may_be_skipped() -> None:
    found = judge(section(on_nan="skip"), math.nan, 1.0, CALM, names)
    assert found == Judgement(fault="not_finite", skip=True)


def test_a_first_step_without_a_gradient_stops_the_training() -> None:
    check_moves(0, 1e-30)
    check_moves(1, 0.0)
    with pytest.raises(TrainingError, match="the gradient of the first step is zero"):
        check_moves(0, 0.0)


def test_too_many_skipped_steps_in_a_row_stop_the_training() -> None:
    before = [*CALM, *[SKIPPED] * (MOST_SKIPPED - 2)]
    assert judge(section(on_nan="skip"), math.nan, 1.0, before, names).skip
    with pytest.raises(TrainingError, match="4 steps before it were skipped"):
        judge(section(on_nan="skip"), math.nan, 1.0, [*before, SKIPPED], names)
    assert judge(section(on_nan="skip"), math.nan, 1.0, [*before, SKIPPED, CALM[0]], names).skip


def test_a_leap_of_the_loss_is_told_unless_the_recipe_says_more() -> None:
    assert judge(section(), 2.5, 1.0, CALM, names) == Judgement(fault="loss_spike")
    assert judge(section(on_spike="skip"), 2.5, 1.0, CALM, names).skip
    with pytest.raises(TrainingError, match="a leap of the loss"):
        judge(section(on_spike="stop"), 2.5, 1.0, CALM, names)
    assert judge(section(on_spike="stop"), 1.2, 1.0, CALM, names) == Judgement()


def test_what_counts_as_a_leap() -> None:
    assert spikes(1.7, CALM)  # half of the median above it
    assert not spikes(1.5, CALM)
    assert not spikes(9.0, CALM[:15])  # too few to compare with
    wild = [{"loss": float(n % 2)} for n in range(40)]
    assert not spikes(5.0, wild)  # within ten deviations
    low = [{"loss": 0.001} for _ in range(40)]
    assert not spikes(0.09, low)  # under 0.1 nats
    assert spikes(0.2, low)
    assert spikes(1.7, [*CALM, *[{"loss": 50.0, "spike": 1.0}] * 60])  # leaps do not count
    assert spikes(1.7, [*CALM, *[{"loss": 50.0, "skipped": 1.0}] * 60])  # nor what was left out


def test_what_is_not_finite_is_not_written_down() -> None:
    assert marks(Judgement(), 1.5, 2.0) == {"loss": 1.5, "gradient_norm": 2.0}
    assert marks(Judgement(fault="not_finite", skip=True), math.nan, 2.0) == {
        "gradient_norm": 2.0,
        "skipped": 1.0,
    }
    assert marks(Judgement(fault="loss_spike"), 9.0, 2.0)["spike"] == 1.0


def test_a_warning_names_step_rows_and_what_was_done() -> None:
    told = warning(Judgement(fault="loss_spike"), 2.5, 1.0, 31, [f"r{n}" for n in range(7)])
    assert "step 31 has loss 2.5" in told
    assert "taught all the same" in told
    assert told.endswith("rows r0, r1, r2, r3, r4 and 2 more")


def test_the_ledger_has_every_row_of_a_step_that_went_wrong() -> None:
    rows = [{"loss": 1.0}, {"skipped": 1.0}, {"loss": 9.0, "spike": 1.0}]
    found = entries(rows, lambda step: [f"row{step}", "other"])
    told = [(one.row, one.decision, one.reason, one.detail) for one in found]
    assert told == [
        ("row1", Decision.REVIEW, Reason.NOT_FINITE, "step 2, skipped"),
        ("other", Decision.REVIEW, Reason.NOT_FINITE, "step 2, skipped"),
        ("row2", Decision.REVIEW, Reason.LOSS_SPIKE, "step 3, taught"),
        ("other", Decision.REVIEW, Reason.LOSS_SPIKE, "step 3, taught"),
    ]


def test_numbers_that_are_not_finite_are_told_and_not_written_down() -> None:
    told: list[str] = []
    row = {"step": 3.0, "loss": 1.0, "validation_loss": math.nan, "loss/a": math.inf}
    assert finite(row, told.append) == {"step": 3.0, "loss": 1.0}
    assert told == ["after step 3, not finite and not written down: validation_loss, loss/a"]
    assert finite({"step": 4.0}, told.append) == {"step": 4.0}
    assert len(told) == 1


def test_weights_that_are_no_numbers_make_no_adapter() -> None:
    good, bad = torch.ones(4), torch.tensor([1.0, math.nan, math.inf, 2.0])
    check_weights({"good": good}, 7)
    with pytest.raises(TrainingError, match="after step 7") as caught:
        check_weights({"good": good, "bad": bad}, 7)
    assert [(row.where, row.problem) for row in caught.value.rows] == [
        ("bad", "2 of 4 values are not finite")
    ]
