"""The gate's error rates on a small draw; `benchmarks/gate.py` has the large one."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
REPLICATES = 400
SLOW = {"ratio metric": 60, "noisy judge": 200, "seeds": 200}  # a bootstrap or a search each time
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
