"""Learning rates: the peak where the recipe names none, and its course over the steps."""

from __future__ import annotations

import math

from tutelage.core.recipe import Train

SMALL = 5e6  # parameters of the size the defaults were measured at
DECAY = 0.2  # share of the steps in which `wsd` falls
MUON_ADAM = 0.2  # rate of embeddings and norms beside Muon's, as a share of it


def peak_rate(section: Train, parameters: int) -> float:
    """The recipe's rate, or a default by method, optimizer and size.

    Full AdamW falls with the square root of the size from 2e-3 at 5 M to 5e-5 at 7 B; low-rank
    weights take ten times the full rate, at most 5e-3 and never under 2e-4 (LoRA Without Regret,
    2025); Muon's update is orthogonal, so that one rate serves every size.
    """
    if section.learning_rate is not None:
        return section.learning_rate
    if section.optimizer == "muon":
        return 0.01
    full = min(2e-3, 2e-3 * math.sqrt(SMALL / parameters))
    if section.method == "full":
        return max(1e-5, full)
    return min(5e-3, max(2e-4, 10 * full))


def rate_factor(section: Train, step: int, steps: int) -> float:
    """Share of the peak rate at a step, counted from 0: warm-up, then the schedule's fall to 0.

    Source: `wsd` is warm-up, stable, decay of MiniCPM, arXiv 2404.06395; it falls in a line over
        the last fifth, as in arXiv 2405.18392.
    """
    warm = max(1, round(section.warmup * steps))
    if step < warm:
        return (step + 1) / warm
    if section.schedule == "constant":
        return 1.0
    if section.schedule == "wsd":
        return min(1.0, (steps - step) / max(1, round((section.decay or DECAY) * steps)))
    done = (step - warm) / max(1, steps - warm)
    return 1.0 - done if section.schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))
