"""Whether judges of known accuracy and bias come out as planted, on all of PandaLM's labels.

    python benchmarks/judges.py FOLDER

FOLDER holds `pandalm/testset.json.gz`. A judge on loopback gives people's majority with a planted
chance, and the answer shown first with another; it is asked over HTTP in both orders. One JSON line
a figure: `value`, `planted`, and the 95 % bounds of the value. They go to
`benchmarks/results/judges.jsonl`; the run fails where a figure is not the planted one, and where a
judge that is constant or at chance is not locked.
"""

from __future__ import annotations

import argparse
import collections
import gzip
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from methods import RESULTS, ROOT, commit, hardware

sys.path.insert(0, str(ROOT))

from tests.score.judges import Planted, answering
from tutelage.core.intervals import Interval
from tutelage.core.recipe import Judge as Keys
from tutelage.score.endpoint import Endpoint
from tutelage.score.judge import Pair, calibrate, compare
from tutelage.score.rating import preferred
from tutelage.store.replies import Replies

SIDES = {0: 0.5, 1: 1.0, 2: 0.0}
PLANTS = [(1.0, 0.0), (0.9, 0.0), (0.75, 0.0), (0.5, 0.0), (0.9, 0.3), (1.0, 1.0)]
LINES: list[str] = []


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    pairs = read(given.folder / "pandalm" / "testset.json.gz")
    wrong = [name for accuracy, bias in PLANTS for name in planted(pairs, accuracy, bias)]
    for name, reply in (("first", "[[A]]"), ("tie", "[[TIE]]"), ("none", "I cannot say.")):
        found = asked(pairs, lambda words, reply=reply: reply, f"constant-{name}")
        write(f"judges/constant {name}", "agreement", found.agreement, None)
        wrong += [] if found.locked else [f"constant {name} is not locked"]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "judges.jsonl").write_text("".join(LINES), encoding="utf-8")
    if wrong:
        raise SystemExit("; ".join(wrong))


def read(path: Path) -> list[Pair]:
    """Rows most people agree on, each answer pair once."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = json.load(stream)
    found: dict[tuple[str, ...], Pair] = {}
    for number, row in enumerate(rows):
        votes = [row[f"annotator{person}"] for person in (1, 2, 3)]
        label, count = collections.Counter(votes).most_common(1)[0]
        request = "\n\n".join(filter(None, (row["instruction"], str(row["input"] or ""))))
        first, second = str(row["response1"]), str(row["response2"])
        key = (request, *sorted((first, second)))
        if count < 2 or first == second or key in found:
            continue
        found[key] = Pair(
            item=str(number),
            cluster=request,
            request=request,
            first=first,
            second=second,
            label=SIDES[label],
        )
    return list(found.values())


def planted(pairs: list[Pair], accuracy: float, bias: float) -> list[str]:
    """Figures that are not those of the plant."""
    judge = Planted(pairs, accuracy=accuracy, bias=bias)
    turned = np.array([judge.biased(one.request, one.first, one.second) for one in pairs])
    errs = np.array([judge.errs(one.request, one.first, one.second) for one in pairs])
    labels = np.array([one.label for one in pairs], dtype=float)
    off = np.where(labels == 0.5, [float(one.first < one.second) for one in pairs], 1 - labels)
    wins = np.where(turned, 0.5, np.where(errs, off, labels))
    name = f"judges/accuracy {accuracy:g} bias {bias:g}"
    with tempfile.TemporaryDirectory() as folder, answering(judge.ask) as (url, _):
        keys = Keys(name="planted", endpoint=url, model="planted")
        endpoint = Endpoint(keys, Replies(Path(folder) / "replies.jsonl"))
        found = calibrate("planted", endpoint.ask, pairs, agreement=0.65)
        report = preferred(
            compare("planted", endpoint.ask, pairs).ratings, np.random.default_rng(1)
        )
    figures = {
        "agreement": (
            found.agreement,
            float((np.sign(wins - 0.5) == np.sign(labels - 0.5)).mean()),
        ),
        "win rate": (report.win_rate, float(wins.mean())),
        "turns with the order": (report.inconsistent, float(turned.mean())),
    }
    wrong = []
    for metric, (interval, truth) in figures.items():
        write(name, metric, interval, truth)
        if abs(interval.value - truth) > 1e-9:
            wrong.append(f"{name}: {metric} is {interval.value}, planted {truth}")
    write(name, "win rate at equal length", report.length_controlled, None)
    if found.passed != (figures["agreement"][0].low >= 0.65 and bias < 1):
        wrong.append(f"{name}: locked is {found.locked!r}")
    return wrong


def asked(pairs: list[Pair], reply: Callable[[str], str], name: str):  # type: ignore[no-untyped-def]
    with tempfile.TemporaryDirectory() as folder, answering(reply) as (url, _):
        keys = Keys(name="constant", endpoint=url, model=name)
        endpoint = Endpoint(keys, Replies(Path(folder) / "replies.jsonl"))
        return calibrate("constant", endpoint.ask, pairs, agreement=0.65)


def write(benchmark: str, metric: str, found: Interval, truth: float | None) -> None:
    form = {
        **{"benchmark": benchmark, "metric": metric, "value": round(found.value, 4)},
        **{"planted": None if truth is None else round(truth, 4)},
        **{"low": round(found.low, 4), "high": round(found.high, 4), "n": found.n},
        **{"method": found.method, "unit": "share", "commit": commit(), "hardware": hardware()},
    }
    LINES.append(json.dumps(form) + "\n")
    print(LINES[-1], end="", file=sys.stderr)


if __name__ == "__main__":
    main()
