"""The baseline `previous`: the report of an earlier run of the same project."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tutelage.core.recipe import Recipe
from tutelage.score.pairing import SUMMARY
from tutelage.store.artifact import Artifact
from tutelage.store.run import RUN, stage_artifact
from tutelage.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The earlier report, or why there is none."""

    report: Artifact | None
    reason: str = ""


def find_before(store: Store, recipe: Recipe, report: Artifact) -> Before:
    """The latest report that runs of this recipe's name made before this one."""
    runs = sorted(path.parent for path in (store.root / "runs").glob(f"*/{RUN}"))
    mine = [folder for folder in runs if folder.name.rpartition("-")[0] == recipe.name]
    reports = [stage_artifact(store, folder, "evaluate") for folder in mine]
    return earlier([one for one in reports if one is not None], report)


def earlier(reports: Iterable[Artifact], report: Artifact) -> Before:
    """The latest of the reports that was begun before this one.

    Going back to an older recipe therefore never compares it with a newer run.
    """
    before = [
        one
        for one in reports
        if one.manifest.started < report.manifest.started
        and one.digest != report.digest
        and one.has(SUMMARY)
    ]
    if not before:
        return Before(report=None, reason="no run of this project came before this one")
    return Before(report=max(before, key=lambda one: (one.manifest.started, one.digest)))
