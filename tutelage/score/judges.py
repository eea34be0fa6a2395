"""The metrics judges give, by the names rules use, and the labels judges are held against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from tutelage.core.digest import short_digest
from tutelage.core.errors import BadRow
from tutelage.core.metric import CURE
from tutelage.core.recipe import Judge as Keys
from tutelage.score.judge import Pair
from tutelage.score.label_lines import label_lines, refuse_bad
from tutelage.score.measure import Measure
from tutelage.score.preference import PairNames, pair_measures

OPENING = "hold the judge against more labels, or take another"
SIDES = {"first": 1.0, "second": 0.0, "tie": 0.5}


class Labelled(msgspec.Struct, forbid_unknown_fields=True):
    """A row of labels: two answers to one request, and what people prefer, by what criterion."""

    request: str
    first: str
    second: str
    label: str
    criterion: str = ""


def names_of(keys: Keys) -> PairNames:
    """The metrics of a pairwise judge."""
    return PairNames(by=keys.name)


def judge_measures(judges: Sequence[Keys]) -> list[Measure]:
    """The metrics judges give a suite they rate, locked or not."""
    found = []
    for keys in judges:
        if keys.kind == "pairwise":
            says = f"judge `{keys.name}` prefers the answer to that of {keys.against}"
            found += pair_measures(names_of(keys), says)
            continue
        for criterion in (one.partition(":")[0] for one in keys.criteria):
            says = f"mark for {criterion} by judge `{keys.name}`, 0 to 1"
            (metric,) = metrics_of(keys.name, keys.kind, [criterion])
            found.append(Measure(metric=metric, says=says, family="mean"))
    return found


def metrics_of(name: str, kind: str, criteria: Sequence[str]) -> list[str]:
    """What rules call the metrics of a judge by its name, kind and criteria."""
    if kind == "pairwise":
        pairs = PairNames(by=name)
        return [pairs.win, pairs.controlled]
    return [f"{name}_{one.partition(':')[0]}" for one in criteria]


def twice_named(judges: Sequence[Keys], others: Iterable[str]) -> str:
    """What two of them would give, so that one's scores were taken for the other's; else empty.

    `others` are names that are given already.
    """
    owners = dict.fromkeys(others, "given already")
    for keys in judges:
        measures = judge_measures([keys])
        names = {name for one in measures for name in (one.metric, *one.columns)}
        if keys.kind == "pairwise":
            names.add(names_of(keys).strength)
        if both := sorted(names & owners.keys()):
            return f"`{both[0]}` of judge `{keys.name}` is {owners[both[0]]}; name it otherwise"
        owners |= dict.fromkeys(names, f"that of judge `{keys.name}`, too")
    return ""


def locked(measures: Sequence[Measure], reason: str) -> list[Measure]:
    """The same metrics, on which no gate may rest where there is a reason."""
    cure = "" if CURE in reason else f"{CURE}{OPENING}"
    lock = f"{reason}{cure}" if reason else ""
    return [replace(one, locked=lock) for one in measures]


def read_labels(path: Path, uri: str) -> list[Pair]:
    """The labelled pairs of a file; those of one request share a cluster.

    Raises: RowError with every line that is none.
    """
    found: list[Pair] = []
    bad: list[BadRow] = []
    for number, row in label_lines(path, uri, Labelled, bad):
        label = row.label.strip().lower()
        if label not in SIDES:
            told = f"`label` is `{row.label[:40]}`; expected first, second or tie"
            bad.append(BadRow(where=f"{uri}:{number}", problem=told))
            continue
        found.append(
            Pair(
                item=str(number),
                cluster=short_digest(row.request.encode()),
                request=row.request,
                first=row.first,
                second=row.second,
                label=SIDES[label],
                criterion=row.criterion,
            )
        )
    refuse_bad(bad)
    return found
