"""The page tells what was memorised: by copies, with controls, and how much at most."""

from __future__ import annotations

from pathlib import Path

from tests.evaluate.fakes import adapter, dataset, project
from tests.evaluate.test_memorise import RECIPE, measured, often
from tutelage.gate.page.memory import memory
from tutelage.gate.run import PAGE
from tutelage.gate.run import run as gate
from tutelage.store.artifact import read_json
from tutelage.store.lines import METRICS, read_metrics


def test_copies_controls_and_upper_bounds_are_told(tmp_path: Path) -> None:
    made = measured(tmp_path, often)
    view = memory(read_json(made.file("summary.json")), read_metrics(made.file(METRICS)))
    assert view is not None
    rows = {row.what: row for row in view.rows}
    assert list(rows)[:3] == [
        "codes, copies planted: 1",
        "codes, copies planted: 16",
        "codes that were never planted",
    ]
    known = rows["codes, copies planted: 16"]
    assert (known.tuned, known.n) == ("6.00 bits", 2)
    assert known.base != known.tuned
    taught = rows["training rows whose rest is said"]
    assert (taught.tuned, taught.base, taught.n) == ("0.0 %", "0.0 %", 12)
    assert taught.most == "22.1 %"  # 1 - 0.05 ** (1 / 12)
    assert "personal data of training rows that is said" in rows
    facts = {one.name: one for one in view.facts}
    assert facts["looked at: codes, controls among them"].value == "12"
    assert facts["ranks of the controls"].note.startswith("Kolmogorov–Smirnov of 8")


def test_the_page_has_the_panel_where_memory_was_looked_for(tmp_path: Path) -> None:
    made = measured(tmp_path, often)
    with project(tmp_path, recipe=RECIPE) as run:
        inputs = {"report": made, "dataset": dataset(run), "adapter": adapter(run)}
        assert run.recipe.gate is not None
        text = gate(run.recipe.gate, inputs, run).file(PAGE).read_text(encoding="utf-8")
    assert "What it memorised" in text
    assert "codes, copies planted: 16" in text


def test_without_it_there_is_none() -> None:
    assert memory({"memorisation": None}, []) is None
