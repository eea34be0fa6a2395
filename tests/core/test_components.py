from __future__ import annotations

import math

import numpy as np
import pytest

from tutelage.core.components import crossed, redrawn
from tutelage.core.quantiles import student_t


def test_the_variance_of_seeds_items_and_rest_is_found_again() -> None:
    draw = np.random.default_rng(1)
    found = [
        crossed(
            draw.normal(0, 0.1, (6, 1)) + draw.normal(0, 0.3, 80) + draw.normal(0, 0.2, (6, 80))
        )
        for _ in range(300)
    ]
    parts = np.mean([(one.of_seeds, one.of_items, one.of_rest) for one in found], axis=0)
    assert parts == pytest.approx([0.01 / 6, 0.09 / 80, 0.04 / 480], rel=0.1)
    assert np.var([one.value for one in found]) == pytest.approx(parts.sum(), rel=0.25)


def test_a_claim_about_the_recipe_is_less_sure_than_one_about_its_checkpoints() -> None:
    draw = np.random.default_rng(2)
    scores = draw.normal(0, 0.2, (4, 1)) + draw.normal(0, 0.3, 500)
    found = crossed(scores)
    assert found.error > 3 * found.error_of_checkpoints
    assert found.freedom == pytest.approx(3, abs=0.5)
    half = found.error * student_t(0.975, found.freedom)
    assert found.interval().low == pytest.approx(found.value - half)
    assert found.interval(sides=1).method == "crossed t one-sided"


def test_a_baseline_is_taken_off_item_by_item() -> None:
    base = np.linspace(0, 1, 50)
    found = crossed(np.stack([base + 0.1, base + 0.3]), base)
    assert found.value == pytest.approx(0.2)
    assert found.of_items == pytest.approx(0, abs=1e-20)
    with pytest.raises(ValueError, match="two trainings"):
        crossed([[0.1, 0.2]])


def test_answers_drawn_again_lower_only_their_own_part_of_the_error() -> None:
    draw = np.random.default_rng(3)
    easy = draw.beta(2, 2, 400)
    found = redrawn((draw.random((400, 5)) < easy[:, None]).astype(float))
    assert found.of_items * 400 == pytest.approx(0.05, abs=0.01)
    assert found.of_draws * 400 * 5 == pytest.approx(0.2, abs=0.01)
    assert found.error_with(items=400, draws=5) == pytest.approx(found.error)
    assert found.error_with(items=400, draws=10**9) == pytest.approx(math.sqrt(found.of_items))
    assert found.error_with(items=1600, draws=5) == pytest.approx(found.error / 2)
    with pytest.raises(ValueError, match="two answers"):
        redrawn([[0.5], [0.7]])
