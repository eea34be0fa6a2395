from __future__ import annotations

import pytest

from tutelage.core.recipe import Train
from tutelage.train.schedule import peak_rate, rate_factor


def section(**keys: object) -> Train:
    return Train.model_validate({"base": "tutelage/tiny"} | keys)


def test_the_rate_named_in_the_recipe_is_the_peak() -> None:
    assert peak_rate(section(learning_rate=0.5), 7_000_000_000) == 0.5


@pytest.mark.parametrize(
    ("keys", "parameters", "expected"),
    [
        ({"method": "full"}, 5_000_000, 2e-3),
        ({"method": "full"}, 7_000_000_000, 5.3e-5),
        ({"method": "lora"}, 7_000_000_000, 5.3e-4),
        ({"method": "lora"}, 5_000_000, 5e-3),
        ({"method": "qlora"}, 7_000_000_000, 5.3e-4),
        ({"method": "lora", "lora": {"dora": True}}, 7_000_000_000, 5.3e-4),
        ({"method": "lora", "lora": {"plus": 16}}, 7_000_000_000, 5.3e-4 / 16),
        ({"method": "lora", "lora": {"init": "pissa"}}, 7_000_000_000, 5.3e-5),
        ({"method": "lora", "lora": {"rslora": True, "rank": 64}}, 7_000_000_000, 1.34e-4),
        ({"method": "full", "optimizer": "muon"}, 5_000_000, 0.01),
    ],
)
def test_the_default_rate_follows_method_optimizer_and_size(
    keys: dict[str, object], parameters: int, expected: float
) -> None:
    assert peak_rate(section(**keys), parameters) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        ("wsd", [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5]),
        ("linear", [0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]),
    ],
)
def test_the_rate_warms_up_and_then_follows_the_schedule(
    schedule: str, expected: list[float]
) -> None:
    train = section(schedule=schedule, warmup=0.2)
    assert [rate_factor(train, step, 10) for step in range(10)] == pytest.approx(expected)


def test_a_cosine_is_at_half_height_half_way_and_ends_near_zero() -> None:
    train = section(schedule="cosine", warmup=0.0)
    assert rate_factor(train, 51, 101) == pytest.approx(0.5)
    assert rate_factor(train, 100, 101) < 1e-3


def test_the_share_of_steps_in_which_a_held_rate_falls_may_be_chosen() -> None:
    long = section(schedule="wsd", decay=0.5, warmup=0.0)
    assert [rate_factor(long, step, 8) for step in range(8)] == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]
