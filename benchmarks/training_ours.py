"""One training of ours, timed; `training.py` starts it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from training import Curve, cpu_seconds, figures

RECIPE = """\
name: training
curate:
  sources: [{{path: rows.jsonl, origin: human, licence: CC-BY-SA-3.0}}]
  duplicates: {{near: false}}
  validation: 0
train:
  base: base
  method: {method}
  optimizer: adamw
  learning_rate: 0.0005
  rows_tokens: {rows_tokens}
  step_tokens: {step_tokens}
  threads: {threads}
  compile: {compiled}
"""


def main() -> None:
    job: dict[str, Any] = json.loads(sys.argv[1])
    folder = Path(job["folder"])
    compiled = "always" if job["system"] == "compiled" else "never"
    recipe = folder / "recipe.yaml"
    job["step_tokens"] = round(job["step_tokens"] * job["folded"])
    job["rows_tokens"] = min(2048, job["step_tokens"])
    recipe.write_text(RECIPE.format(**job, compiled=compiled), encoding="utf-8")

    import numpy as np

    from tutelage import __version__
    from tutelage.core.recipe import load
    from tutelage.curate.run import run as curate
    from tutelage.render.lesson import Lesson
    from tutelage.render.pack import pack
    from tutelage.store.run import Run
    from tutelage.train import loop
    from tutelage.train.batch import batch_of
    from tutelage.train.run import run as train
    from tutelage.train.step import validation_loss

    read = load(recipe)
    with Run.open(read) as opened:  # rows are read before the clock starts, as TRL's are
        dataset = curate(read.curate, {}, opened)
    job["began"] = time.time() - time.process_time()
    ends, cpu, steps = [], [], []

    class Timed(loop.Loop):
        def step(self, number: int, before: Any = ()) -> dict[str, float]:
            row = super().step(number, before)
            rows = [self.lessons.rows[index] for index in self.lessons.steps[number]]
            lessons = self.lessons.rows.lessons.records[
                sorted({int(one) for row in rows for one in row.lesson})
            ]
            steps.append(
                {
                    "supervised": row["supervised"],
                    "tokens": float(lessons["length"].sum()),
                    "squares": float((lessons["length"].astype(float) ** 2).sum()),
                    "loss": row["loss"],
                }
            )
            ends.append(time.time() - curve.idle)
            cpu.append(cpu_seconds())
            curve.step(len(ends))
            return row

        def look(self) -> float:
            held = json.loads((folder / "held.json").read_text(encoding="utf-8"))
            lessons = [
                Lesson(prompt=tuple(prompt), completion=tuple(said), weight=1.0, row="r", turn=0)
                for prompt, said in held
            ]
            rows = pack(lessons, 2048, np.random.default_rng(0))
            return validation_loss(self.learner.backbone, [batch_of(row) for row in rows])

    class Made(Timed):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            curve.look = self.look

    curve = Curve(job, lambda: 0.0)
    loop.Loop = Made  # type: ignore[misc]
    with Run.open(read, force=True) as opened:
        train(read.train, {"dataset": dataset}, opened)
    told = {**figures(job, steps, ends, cpu), **curve.figures()}
    print(json.dumps({**told, "versions": {"tutelage": __version__}}))


if __name__ == "__main__":
    main()
