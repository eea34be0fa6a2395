"""The baseline `previous`: the report of an earlier run that was good enough to build on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.core.recipe import Recipe
from tutelage.score.pairing import SUMMARY
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.release import VERDICT
from tutelage.store.run import RUN, stage_artifact
from tutelage.store.store import Store

PREVIOUS = "previous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The earlier report, or why there is none."""

    report: Artifact | None
    reason: str = ""


def find_before(store: Store, recipe: Recipe, report: Artifact) -> Before:
    """The latest report before this one, of runs of this recipe's name, that was let through.

    That is one that was released, with a waiver or without, or whose verdict passed. In the
    verdict of a first run, rules about `previous` that had nothing to compare with do not count.
    """
    runs = sorted(path.parent for path in (store.root / "runs").glob(f"*/{RUN}"))
    mine = [folder for folder in runs if folder.name.rpartition("-")[0] == recipe.name]
    reports = [stage_artifact(store, folder, "evaluate") for folder in mine]
    before = earlier([one for one in reports if one is not None], report)
    if not before:
        return Before(report=None, reason="no run of this project came before this one")
    through = {digest for folder in mine for digest in _let_through(store, folder)}
    if good := [one for one in before if one.digest in through]:
        return Before(report=max(good, key=lambda one: (one.manifest.started, one.digest)))
    return Before(
        report=None,
        reason="no run of this project before this one was released, or passed its gate",
    )


def earlier(reports: Iterable[Artifact], report: Artifact) -> list[Artifact]:
    """The reports of other models that were begun before this one.

    Going back to an older recipe therefore never compares it with a newer run, and measuring
    a model again never compares it with itself.
    """
    return [
        one
        for one in reports
        if one.manifest.started < report.manifest.started
        and _model(one) != _model(report)
        and one.digest != report.digest
        and one.has(SUMMARY)
    ]


def _model(report: Artifact) -> tuple[str, ...]:
    """Which weights a report is of, behind which contract."""
    made_from = report.manifest.inputs
    weights = [one for name, one in sorted(made_from.items()) if name.startswith("adapter")]
    return (*weights, made_from.get("contract", ""))


def _let_through(store: Store, folder: Path) -> Iterator[str]:
    """The digests of reports of a run that were released, or whose verdict passed."""
    release = stage_artifact(store, folder, "release")
    if release is not None:
        yield release.manifest.inputs.get("report", "")
    verdict = stage_artifact(store, folder, "gate")
    if verdict is not None and _passed(read_json(verdict.file(VERDICT))):
        yield verdict.manifest.inputs.get("report", "")


def _passed(verdict: Mapping[str, Any]) -> bool:
    first = verdict.get("previous") is None
    return all(
        rule["outcome"] == "pass" or (first and rule["baseline"] == PREVIOUS)
        for rule in verdict["rules"]
    )
