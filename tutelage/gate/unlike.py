"""Whether a metric of two reports is one metric: what is measured, how, and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutelage.score.judges import metrics_of
from tutelage.score.measure import Measure
from tutelage.score.pairing import measures_in
from tutelage.store.artifact import Artifact
from tutelage.store.ingest import uri_of

NO_MATTER = ("says", "locked", "labelled")  # of a measure: words, and what corrects it here
OF_NO_JUDGEMENT = (  # of a judge's keys: what does not change what it says
    *("name", "suites", "api_key_env", "retries", "timeout_seconds"),
    *("prompt_price", "answer_price", "labels"),
)


def unlike(suite: str, measure: Measure, report: Artifact, before: Artifact) -> str:
    """Why a metric of the earlier report cannot be compared; empty where it can."""
    name = f"`{suite}.{measure.metric}`"
    known = {one.metric: one for one in measures_in(before).get(suite, ())}
    if measure.metric not in known:
        return f"the earlier report does not measure {name}"
    mine, other = _form(measure), _form(known[measure.metric])
    if parts := [part for part in mine if mine[part] != other.get(part)]:
        return f"{name} was measured otherwise in the earlier report: {', '.join(parts)}"
    now, then = (_judge(measure.metric, one) for one in (report, before))
    if parts := sorted(part for part in {*now, *then} if now.get(part) != then.get(part)):
        return f"the judge of {name} was another in the earlier report: {', '.join(parts)}"
    return ""


def _form(measure: Measure) -> dict[str, Any]:
    return {name: one for name, one in measure.to_dict().items() if name not in NO_MATTER}


def _judge(metric: str, report: Artifact) -> Mapping[str, Any]:
    """What a report says of the judge that gives a metric, its labels' digest among it."""
    made = report.manifest
    for keys in made.section.get("judges", ()):
        if metric in metrics_of(keys["name"], keys["kind"], keys["criteria"]):
            found = {name: one for name, one in keys.items() if name not in OF_NO_JUDGEMENT}
            if keys.get("labels"):
                labels = f"labels:{uri_of(keys['labels']['path'])}"
                found["labels"] = made.inputs.get(labels, "")
            return found
    return {}
