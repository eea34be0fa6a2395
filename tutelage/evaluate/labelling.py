"""Detectors of refusals held against people: labels a suite names, and answers to label next."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.digest import Json
from tutelage.core.recipe import Suite
from tutelage.core.recipe.evaluate import DETECTED
from tutelage.core.systems import TUNED
from tutelage.evaluate.report import Measured
from tutelage.score.labelled import Labelled, read_labelled
from tutelage.store.ingest import uri_of
from tutelage.store.lines import write_lines
from tutelage.store.run import Run
from tutelage.store.store import Draft

STREAM = "evaluate.to_label"
TO_LABEL = "to_label.jsonl"  # of a report: answers nobody has labelled, drawn at random


def labelled_of(suite: Suite, run: Run) -> Labelled | None:
    """The labelled outputs a suite names, none labelled where it should name some.

    Raises: RowError for lines that are no labels.
    """
    if suite.detector is not None:
        path = suite.detector.labels
        return read_labelled(suite.detector, run.recipe.path(path), uri_of(path))
    detected = any(name.partition(":")[0] in DETECTED for name in suite.scorers)
    return Labelled() if detected else None


def held_against(suites: Sequence[Measured], run: Run, draft: Draft) -> dict[str, Json]:
    """What the report says of each suite's detector, by suite.

    Tasks whose answers of the tuned model have no label yet are put down to be labelled: as many as
    are missing, drawn at random whatever the detector says of them, so that its errors among
    them are its errors.
    """
    lines: list[dict[str, Json]] = []
    found: dict[str, Json] = {}
    for suite in suites:
        known = suite.labelled
        if known is None:
            continue
        found[suite.name] = known.to_dict()
        if known.missing:
            run.progress.warn(f"{suite.name}: {known.locked}: no gate rests on its refusals")
            lines += _waiting(suite, known, run)
    if lines:
        write_lines(draft.folder / TO_LABEL, lines)
        draft.counts["to_label"] = len(lines)
    return found


def _waiting(suite: Measured, known: Labelled, run: Run) -> list[dict[str, Json]]:
    requests = {task.id: task.request for task in suite.tasks}
    fresh = [one for one in suite.samples[TUNED] if one.task not in known.tasks]
    order = run.generator(f"{STREAM}.{suite.name}").permutation(len(fresh))
    return [
        {
            "task": fresh[place].task,
            "request": requests[fresh[place].task],
            "answer": fresh[place].answer,
            "label": "",
        }
        for place in order[: known.missing].tolist()
    ]
