"""A Metric: an aggregate Score with its n and interval, one line of `metrics.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

ONE_SIDED = " one-sided"  # ends the `method` of a record whose bounds are for a Rule
LOCKED = "locked: "  # begins the `method` of a record no Rule may rest on; the reason follows
CURE = "; to open it, "  # in such a reason, before what would open the metric
ALL = ""  # the slice that leaves nothing out


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """An aggregate Score with n and its 95 % interval.

    Without `baseline`, `low` and `high` bound `value`. With one, the record is a
    paired comparison: `difference` is value minus the baseline's value on the same
    tasks, and `low` and `high` bound the difference. A method that ends in
    ` one-sided` holds two bounds of 95 % each; these are what a Rule compares.
    """

    metric: str
    suite: str
    system: str
    slice: str = ALL
    n: int
    value: float
    low: float
    high: float
    method: str
    unit: str = "share"
    baseline: str | None = None
    difference: float | None = None

    @property
    def one_sided(self) -> bool:
        """Whether the bounds are those a Rule compares."""
        return self.method.endswith(ONE_SIDED)

    def to_dict(self) -> dict[str, Any]:
        """One line of `metrics.jsonl`, every field."""
        return asdict(self)

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Metric:
        """The metric of `to_dict`."""
        return cls(
            metric=form["metric"],
            suite=form["suite"],
            system=form["system"],
            slice=form["slice"],
            n=form["n"],
            value=form["value"],
            low=form["low"],
            high=form["high"],
            method=form["method"],
            unit=form["unit"],
            baseline=form["baseline"],
            difference=form["difference"],
        )
