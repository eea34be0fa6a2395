"""The gate's error rates on a small draw; `benchmarks/gate.py` has the large one."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
REPLICATES = 400
SLOW = {  # a bootstrap or a search each time
    "ratio metric": 60,
    "noisy judge": 200,
    "seeds": 200,
    "pairs": 200,
    "pairs, beside": 80,
}
NAMES = [
    "no difference",
    "ties",
    "margin",
    "margin, losses only",
    "small n, paired",
    "small n",
    "rare failures",
    "clusters",
    "seeds",
    "slices, one short",
    "slices, false alarm",
    "peeking",
    "checkpoint choice",
    "noisy judge",
    "pairs",
    "pairs, beside",
    "unequal variance",
    "ratio metric",
]


@pytest.fixture(scope="module")
def scenarios() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        module = importlib.import_module("gate_scenarios")
        yield {one.name: one for one in module.scenarios()}


def test_every_scenario_is_drawn_here_too(scenarios: Any) -> None:
    assert list(scenarios) == NAMES


WORSE = {  # what others do opens on noise at least so often
    "no difference": 0.40,
    "margin, losses only": 0.06,
    "seeds": 0.06,
    "slices, false alarm": 0.30,
    "peeking": 0.15,
    "checkpoint choice": 0.06,
    "noisy judge": 0.10,
    "ratio metric": 0.40,
}
NEAR = {"rare failures": 4000, "clusters": 1500, "unequal variance": 4000}  # draws: little over it


def test_every_scenario_says_what_decides_and_what_others_do(scenarios: Any) -> None:
    for one in scenarios.values():
        assert one.decided.startswith("gate: ") or one.name == "peeking"
    assert {one.name for one in scenarios.values() if one.contrast} == {*WORSE, *NEAR}


@pytest.mark.parametrize("name", [*WORSE, *NEAR])
def test_what_others_do_opens_on_noise_more_often(scenarios: Any, name: str) -> None:
    from tutelage.core.seeds import stream

    n = 100 if name == "slices, false alarm" else NEAR.get(name, 300)
    draw = stream(f"test.gate.{name}.contrast", 0)
    false = sum(scenarios[name].contrast.opens(draw) for _ in range(n)) / n
    assert max(WORSE.get(name, 0.0), own(name)) < false < 0.70


def own(name: str) -> float:
    """How often the gate itself opened on noise, of the large draw: at most so often."""
    lines = (BENCHMARKS / "results" / "gate.jsonl").read_text(encoding="utf-8").splitlines()
    gate = [one for one in map(json.loads, lines) if one.get("decided") != "contrast"]
    (high,) = [one["high"] for one in gate if one["benchmark"] == f"gate/{name}"]
    return float(high)


@pytest.mark.parametrize("name", NAMES)
def test_the_gate_rarely_opens_on_noise_and_as_often_as_planned_on_better(
    scenarios: Any, name: str
) -> None:
    from tutelage.core.seeds import stream

    scenario, n = scenarios[name], SLOW.get(name, REPLICATES)
    draw = stream(f"test.gate.{name}", 0)
    false = sum(scenario.null(draw) for _ in range(n)) / n
    right = sum(scenario.true(draw) for _ in range(n)) / n
    spread = (0.05 * 0.95 / n) ** 0.5
    assert false <= 0.055 + 3 * spread
    wide = (scenario.planned * (1 - scenario.planned) / n) ** 0.5
    assert right == pytest.approx(scenario.planned, abs=0.03 + 3 * wide)
    assert right > 3 * false  # it tells the two apart
