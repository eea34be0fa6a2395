"""Learning rates: the peak where the recipe names none, and its course over the steps."""

from __future__ import annotations

import math

from tutelage.core.recipe import Train

SMALL = 5e6  # parameters of the size the defaults were measured at
DECAY = 0.2  # share of the steps in which `wsd` falls
USUAL_RANK = 16  # where a rank-stabilised adapter learns as a plain one
MUON_ADAM = 0.2  # rate of embeddings and norms beside Muon's, as a share of it


def peak_rate(section: Train, parameters: int) -> float:
    """The recipe's rate, or a default by method, optimizer and size.

    Full AdamW falls with the square root of the size from 2e-3 at 5 M to 5e-5 at 7 B; low-rank
    weights take ten times the full rate, at most 5e-3 and never under 2e-4 (LoRA Without Regret,
    2025), on a quantised base too (2e-4 at 7 B to 13 B in QLoRA, arXiv 2305.14314) and with
    magnitudes (DoRA, arXiv 2402.09353, takes LoRA's). Under LoRA+ the second matrices keep that
    rate and the first take so many times less: with more for the second, the small base went
    astray. The principal part is no small number, so that PiSSA moves the weights as full tuning
    does, at its rate (2e-5 at 7 B in arXiv 2404.02948). A rank-stabilised scale is four times
    the usual one at rank 16, where both shall learn alike, so it takes a quarter of the rate at
    every rank. Muon's update is orthogonal, so that one rate serves
    every size.
    """
    if section.learning_rate is not None:
        return section.learning_rate
    low_rank = section.method != "full"
    share = 1 / math.sqrt(USUAL_RANK) if low_rank and section.lora.rslora else 1.0
    if low_rank and section.lora.plus is not None:
        share /= section.lora.plus
    if section.optimizer == "muon":
        return 0.01 * share
    full = min(2e-3, 2e-3 * math.sqrt(SMALL / parameters))
    if not low_rank or section.lora.init == "pissa":
        return max(1e-5, full) * share
    return min(5e-3, max(2e-4, 10 * full)) * share


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
