"""The systems that are compared, from the bare base to the tuned model, by the names rules use."""

from __future__ import annotations

from typing import Literal, get_args

Untuned = Literal["zero_shot", "few_shot", "prompted", "constrained"]
Rung = Literal["zero_shot", "few_shot", "prompted", "constrained", "tuned_constrained"]
SystemName = Literal[
    "zero_shot", "few_shot", "prompted", "constrained", "tuned", "tuned_constrained"
]
UNTUNED: tuple[Untuned, ...] = get_args(Untuned)
LADDER: tuple[SystemName, ...] = get_args(SystemName)  # from the bottom
TUNED: Literal["tuned"] = "tuned"
TUNED_CONSTRAINED: Literal["tuned_constrained"] = "tuned_constrained"
CONSTRAINED = ("constrained", "tuned_constrained")  # answer under the output schema's grammar
WEIGHED = ("zero_shot", "tuned")  # asked of what is weighed: such suites bring their own examples
