"""What a training goes by that its recipe leaves open, and why: told by `plan` and the docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tutelage.core.recipe import Train

WHY: Mapping[str, str] = {
    "method": "an adapter forgets less of the base and needs no optimizer state for it "
    "(LoRA Learns Less and Forgets Less, 2024); for a base of a few million weights take `full`",
    "optimizer": "AdamW is what published learning rates are for",
    "learning_rate": "falls with the square root of the size; ten times as high for an adapter "
    "(LoRA Without Regret, 2025)",
    "epochs": "one pass: validation loss mostly rises after it (InstructGPT, 2022)",
    "rows_tokens": "long enough that packing wastes almost nothing (benchmarks/packing.py); "
    "a longer lesson makes the rows longer",
    "step_tokens": "large steps cost adapters more than full training "
    "(LoRA Without Regret, 2025); raise it with the set",
    "warmup": "3 % of the steps, as published fine-tunings have it (Stanford Alpaca, 2023)",
    "schedule": "a cosine's fall to nothing: the last steps are the smallest (SGDR, 2017)",
    "weight_decay": "none: few steps from a good start need no pull to zero",
    "clip_norm": "1, the usual bound since GPT-3; what it cuts is in the metrics",
    "keep": "the last step: a suite's metric may still rise where validation loss does "
    "(InstructGPT, 2022); with `early_stopping` the best",
    "precision": "bf16 where the processor multiplies it, its sums and masters fp32",
    "on_nan": "nothing that is not a number goes by unseen",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One key, what it came to, and where from."""

    key: str
    value: str
    why: str  # empty where the recipe says it


def choices(section: Train, *, rate: float, precision: str, row_tokens: int) -> list[Choice]:
    """What the training goes by; `rate`, `precision` and `row_tokens` as they were resolved."""
    resolved = {
        "learning_rate": f"{rate:g}",
        "precision": precision,
        "keep": section.keep or ("best" if section.early_stopping else "last"),
        "rows_tokens": f"{row_tokens}",
    }
    return [
        Choice(
            key=key,
            value=resolved.get(key, str(getattr(section, key))),
            why="" if key in section.model_fields_set else why,
        )
        for key, why in WHY.items()
    ]
