"""How many models the test of each suite was spent on, up to the one that is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tutelage.core.metric import ONE_SIDED, Metric
from tutelage.gate.decide import SYSTEM
from tutelage.score.pairing import SUMMARY
from tutelage.score.roster import USES
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.store import Store
from tutelage.store.uses import Uses


def uses_of(store: Store, report: Artifact) -> dict[str, int]:
    """By suite, the how-manieth model on its file this one was; never noted, left out."""
    made_from = report.manifest.inputs
    adapter, contract = made_from.get("adapter", ""), made_from.get("contract", "")
    ledger, found = Uses.of(store), {}
    suites: list[Mapping[str, Any]] = read_json(report.file(SUMMARY))["suites"]
    for suite in suites:
        # files of one name in two folders are told apart by a mark behind it
        digests = [
            digest
            for name, digest in made_from.items()
            if name.rstrip("'") == f"suite:{suite['uri']}"
        ]
        counts = [ledger.count(one, adapter=adapter, contract=contract) for one in digests]
        noted = [count for count in counts if count is not None]
        if noted:
            found[suite["name"]] = max(noted)
    return found


def use_metrics(uses: Mapping[str, int]) -> Iterator[Metric]:
    """The counts as records a rule can compare: known exactly, so both bounds are the value."""
    for suite, count in uses.items():
        yield Metric(
            metric=USES,
            suite=suite,
            system=SYSTEM,
            n=count,
            value=float(count),
            low=float(count),
            high=float(count),
            method=f"ledger{ONE_SIDED}",
            unit="models",
        )
