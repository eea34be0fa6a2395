"""Guards: what is done with a step whose loss or gradient is not what it should be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import torch
from torch import Tensor

from tutelage.core.errors import BadRow, TrainingError
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Train

Rows = Sequence[dict[str, float]]  # what was measured, a row a step
Names = Callable[[], Sequence[str]]  # of the rows a step teaches
Fault = Literal["", "not_finite", "loss_spike"]

WINDOW, LEAST = 64, 16  # steps a loss is compared with: at most, and at least
DEVIATIONS, SHARE, NATS = 10.0, 0.5, 0.1
MOST_SKIPPED = 5  # in a row; then it is not the rows
NAMED = 5  # rows in a warning; the ledger has them all


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is wrong with a step, and whether its update is left out."""

    fault: Fault = ""
    skip: bool = False


def spikes(loss: float, before: Rows) -> bool:
    """Whether a loss leaps above those of the steps before it.

    It does if it lies above their median by more than ten times their median absolute
    deviation, half of the median, and 0.1 nats. The last 64 steps count that were taught and
    were no spike themselves; while there are fewer than 16, nothing is one.
    """
    near = before[-2 * WINDOW :]
    calm = [row for row in near if not row.keys() & {"spike", "skipped"}]
    window = [row["loss"] for row in calm if "loss" in row][-WINDOW:]
    if len(window) < LEAST:
        return False
    middle = median(window)
    spread = median(abs(one - middle) for one in window)
    return loss - middle > max(DEVIATIONS * spread, SHARE * middle, NATS)


def judge(section: Train, loss: float, norm: float, before: Rows, names: Names) -> Judgement:
    """What becomes of the step after `before`, by the recipe.

    Raises: TrainingError that names the step's rows where it is to stop, or where too many
        steps in a row were skipped.
    """
    finite = math.isfinite(loss) and math.isfinite(norm)
    if finite and not spikes(loss, before):
        return Judgement()
    fault: Fault = "loss_spike" if finite else "not_finite"
    action = section.on_spike if finite else section.on_nan
    skipped = _skipped_at_the_end(before)
    if action == "skip" and skipped + 1 < MOST_SKIPPED:
        return Judgement(fault=fault, skip=True)
    if action == "tell":
        return Judgement(fault=fault)
    what = "a leap of the loss" if finite else "not a number to go on with"
    raise TrainingError(
        f"loss {loss:.4g} with gradient norm {norm:.4g} at step {len(before) + 1}: {what}"
        + (f", and {skipped} steps before it were skipped" if skipped else ""),
        expected="a loss like those before it" if finite else "finite numbers",
        hint="lower `train.learning_rate`, or look at these rows with `tutelage show`"
        + ("" if skipped else f"; `train.{_key(fault)}: skip` leaves such steps out"),
        rows=[BadRow(where=row, problem="taught in this step") for row in names()],
    )


def check_moves(number: int, norm: float) -> None:
    """Whether the first step, counted from 0, changes anything.

    Raises: TrainingError where its gradient is exactly zero.
    """
    if number == 0 and norm == 0.0:
        raise TrainingError(
            "the gradient of the first step is zero: nothing would be learnt",
            expected="weights that the loss depends on",
            hint="see what `train.freeze`, `lora.targets` and `parallel` leave to train",
        )


def warning(judgement: Judgement, loss: float, norm: float, step: int, names: Sequence[str]) -> str:
    """What is said of a step that went wrong and does not end the training."""
    what = "a leap" if judgement.fault == "loss_spike" else "not finite"
    did = "skipped" if judgement.skip else f"taught all the same (`{_key('loss_spike')}: tell`)"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (
        f"step {step} has loss {loss:.4g} and gradient norm {norm:.4g}, {what}, and is {did}; "
        f"rows {', '.join(names[:NAMED])}{more}"
    )


def marks(judgement: Judgement, loss: float, norm: float) -> dict[str, float]:
    """What a step's row says of it; numbers that are not finite are left out."""
    told = {"loss": loss, "gradient_norm": norm}
    row = {name: value for name, value in told.items() if math.isfinite(value)}
    if judgement.fault == "loss_spike":
        row["spike"] = 1.0
    if judgement.skip:
        row["skipped"] = 1.0
    return row


def finite(row: Mapping[str, float], warn: Callable[[str], None]) -> dict[str, float]:
    """A step's row without numbers that are not finite, of which one is told."""
    left = [name for name, value in row.items() if not math.isfinite(value)]
    if left:
        warn(f"after step {row['step']:.0f}, not finite and not written down: {', '.join(left)}")
    return {name: value for name, value in row.items() if name not in left}


def check_weights(weights: Mapping[str, Tensor], step: int) -> None:
    """Whether what was trained is made of numbers: no step after the last would tell.

    Raises: TrainingError that names every weight that is not.
    """
    bad = {name: int((~torch.isfinite(value)).sum()) for name, value in weights.items()}
    rows = [
        BadRow(where=name, problem=f"{count} of {weights[name].numel()} values are not finite")
        for name, count in bad.items()
        if count
    ]
    if rows:
        raise TrainingError(
            f"the weights after step {step} are no finite numbers",
            expected="finite numbers; no adapter is made",
            hint="lower `train.learning_rate`",
            rows=rows,
        )


def entries(rows: Rows, names: Callable[[int], Sequence[str]]) -> list[LedgerEntry]:
    """The ledger of the steps that went wrong: every row of each; `names` takes a step's number."""
    found = []
    for number, row in enumerate(rows):
        if "spike" not in row and "skipped" not in row:
            continue
        reason = Reason.LOSS_SPIKE if "spike" in row else Reason.NOT_FINITE
        did = "skipped" if "skipped" in row else "taught"
        detail = f"step {number + 1}, {did}"
        found += [
            LedgerEntry(
                row=name, stage="train", decision=Decision.REVIEW, reason=reason, detail=detail
            )
            for name in names(number)
        ]
    return found


def _skipped_at_the_end(before: Rows) -> int:
    count = 0
    for row in reversed(before):
        if "skipped" not in row:
            break
        count += 1
    return count


def _key(fault: Fault) -> str:
    return "on_spike" if fault == "loss_spike" else "on_nan"
