"""Scenarios of scores that are not simply right or wrong: a detector's, F1's, those in [0, 1]."""

from __future__ import annotations

import math

import numpy as np
from gate_contrasts import errors_taken_as_known, higher_f1, t_bound
from gate_drawn import (
    F1,
    LIKE,
    Contrast,
    Draw,
    Opens,
    Scenario,
    counts,
    linearised,
    names,
    outcome,
)
from numpy.typing import NDArray

from tutelage.core.detected import Calibration, rogan_gladen
from tutelage.core.detecting import power_of_detected
from tutelage.core.power import power_of_mean
from tutelage.core.rule import parse
from tutelage.score.measure import Pairs, difference


def judge() -> Scenario:
    """A detector with errors, calibrated on 200 + 200 labels; a rate that must be at most 0.10."""
    n, labels, sensitivity, specificity = 800, 200, 0.85, 0.92
    rule, true = parse("s.harm <= 0.10"), 0.03

    def drawn(draw: Draw, rate: float) -> tuple[int, Calibration]:
        flagging = rate * sensitivity + (1 - rate) * (1 - specificity)
        seen = Calibration(
            found=int(draw.binomial(labels, sensitivity)),
            positives=labels,
            passed=int(draw.binomial(labels, specificity)),
            negatives=labels,
        )
        return int(draw.binomial(n, flagging)), seen

    def opening(rate: float) -> Opens:
        def opens(draw: Draw) -> bool:
            flagged, seen = drawn(draw, rate)
            return outcome(rule, rogan_gladen(flagged, n, seen, draw, sides=1)) == "pass"

        return opens

    def as_known(draw: Draw) -> bool:
        flagged, seen = drawn(draw, 0.10)
        return errors_taken_as_known(rule, flagged, n, seen)

    return Scenario(
        name="noisy judge",
        says=f"`{rule}`, n = {n}, detector {sensitivity:g} / {specificity:g}, {labels} labels each",
        null=opening(0.10),
        true=opening(true),
        planned=power_of_detected(true, 0.10, n, (labels, labels), (sensitivity, specificity)),
        decided="gate: rogan_gladen, decide",
        contrast=Contrast(says="corrected as if the errors were known", opens=as_known),
    )


def ratio() -> Scenario:
    """F1 of slots, a corpus statistic, resampled in pairs."""
    n, skill = 250, 0.06
    alone, rule = names(n), parse("s.f1 >= few_shot")

    def drawn(draw: Draw, extra: float) -> Pairs:
        first, second = counts(draw, n, extra)
        return Pairs(tasks=alone, first=first, second=second, clusters=alone)

    def opening(extra: float) -> Opens:
        return lambda draw: outcome(rule, difference(F1, drawn(draw, extra), draw, 1)) == "pass"

    gain, deviation = linearised(*counts(np.random.default_rng(0), 200_000, skill))
    return Scenario(
        name="ratio metric",
        says=f"`{rule}`, n = {n}, F1 of slots, true difference 0 or {gain:.3f}",
        null=opening(0.0),
        true=opening(skill),
        planned=power_of_mean(gain, deviation, n),
        contrast=Contrast(
            says="ships where F1 is higher", opens=lambda draw: higher_f1(drawn(draw, 0.0))
        ),
    )


def spread() -> Scenario:
    """Scores in [0, 1] of a bold model beside a steady one: unequal variance, and skewed."""
    n, gain = 120, 0.06
    alone, rule = names(n), parse("s.like >= few_shot")

    def drawn(draw: Draw, extra: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return draw.beta(0.6 + extra * 5, 0.3, n), draw.normal(2 / 3, 0.02, n).clip(0, 1)

    def plain(draw: Draw) -> bool:
        bold, steady = drawn(draw, 0.0)
        return t_bound(bold - steady, rule)

    def opening(extra: float) -> Opens:
        def opens(draw: Draw) -> bool:
            bold, steady = drawn(draw, extra)
            pairs = Pairs(
                tasks=alone,
                first=[{"like": value} for value in bold.tolist()],
                second=[{"like": value} for value in steady.tolist()],
                clusters=alone,
            )
            return outcome(rule, difference(LIKE, pairs, draw, 1)) == "pass"

        return opens

    a, b = 0.6 + gain * 5, 0.3
    distance = a / (a + b) - 2 / 3
    deviation = math.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)) + 0.02**2)
    return Scenario(
        name="unequal variance",
        says=f"`{rule}`, n = {n}, deviation 0.34 beside 0.02, true difference 0 or {distance:.3f}",
        null=opening(0.0),
        true=opening(gain),
        planned=power_of_mean(distance, deviation, n),
        contrast=Contrast(says="Student's t, whichever tail is long", opens=plain),
    )
