from __future__ import annotations

import json
from pathlib import Path

from tutelage.gate.page.course import Course, course


def written(folder: Path, rows: list[dict[str, float]]) -> Path:
    path = folder / "metrics.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_losses_rate_and_norm_have_a_curve_each(tmp_path: Path) -> None:
    rows = [
        {"step": n, "loss": 5.0 - n, "learning_rate": 0.1, "gradient_norm": 2.0, "loss/a": 1.0}
        | ({"loss/b": 2.0, "validation_loss": 4.0} if n == 2 else {})
        for n in (1, 2, 3)
    ]
    found = course(written(tmp_path, [{**row} for row in rows]))
    assert found.loss is not None
    assert [curve.name for curve in found.loss.curves] == ["step", "train", "validation"]
    assert found.loss.label.endswith("at the end of 3 steps, validation loss 4.000")
    sources, rate, norm = found.others
    assert sources.names == ("a", "b")
    assert [curve.name for curve in sources.plot.curves] == ["0", "1"]
    assert (rate.title, norm.title) == ("Learning rate", "Gradient norm")
    assert found.remarks == ()


def test_steps_with_something_amiss_are_told(tmp_path: Path) -> None:
    rows = [{"step": 1.0, "loss": 2.0}, {"step": 2.0, "skipped": 1.0}]
    rows += [{"step": n + 3.0, "loss": 9.0, "spike": 1.0} for n in range(12)]
    assert course(written(tmp_path, rows)).remarks == (
        "Steps left out by a guard: 2.",
        "Steps with a leap of the loss: 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 2 more.",
    )


def test_without_a_step_nothing_is_drawn(tmp_path: Path) -> None:
    assert course(written(tmp_path, [])) == Course(loss=None, others=(), remarks=())
