"""The files inside artifacts that are JSON lines, metrics above all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tutelage.core.metric import Metric
from tutelage.store.tables import SCHEMA, check_schema

METRICS = "metrics.jsonl"
NUMBERS = ("value", "low", "high", "difference")  # of a metric


def write_lines(path: Path, forms: Iterable[Mapping[str, Any]]) -> None:
    """Writes objects, one a line."""
    path.write_bytes(b"".join(msgspec.json.encode(form) + b"\n" for form in forms))


def write_metrics(path: Path, metrics: Iterable[Metric]) -> None:
    """Writes metrics, one JSON object a line."""
    forms = [{"schema": SCHEMA, **metric.to_dict()} for metric in metrics]
    for form in forms:
        for name in NUMBERS:
            if isinstance(form[name], float) and math.isinf(form[name]):
                form[name] = str(form[name])  # JSON has no number for a bound that is not there
    lines = [msgspec.json.encode(form) for form in forms]
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def read_metrics(path: Path) -> list[Metric]:
    """The metrics of a report, in order; a number that was none is read as NaN."""
    metrics = []
    for line in path.read_bytes().splitlines():
        form: dict[str, Any] = msgspec.json.decode(line)
        check_schema(form["schema"], path)
        for name in NUMBERS:
            known = form[name] is not None or name == "difference"
            form[name] = form[name] if known else math.nan
            form[name] = float(form[name]) if isinstance(form[name], str) else form[name]
        if form["baseline"] is not None and form["difference"] is None:
            form["difference"] = math.nan
        metrics.append(Metric.from_dict(form))
    return metrics
