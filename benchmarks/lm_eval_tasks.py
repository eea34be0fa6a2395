"""Local tasks from a folder of public data, as rows our suites read and as lm-eval reads them."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

Row = dict[str, Any]
INSTEAD = "from lm_eval.tasks.truthfulqa.utils import process_results_mc2  # noqa: F401\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """Questions with options, and how they are put."""

    name: str
    rows: Sequence[Row]
    asks: str = "{question}\nAnswer:"
    shots: Sequence[Row] = field(default_factory=tuple)
    truth: bool = False  # whether several options are right, and mc2 is wanted


def local_tasks(data: Path, limit: int | None) -> list[Local]:
    """Every task, of at most so many rows."""
    truth, bbh = _truth(data), _bbh(data)
    colours, snarks = bbh["reasoning_about_colored_objects"], bbh["snarks"]
    made = [
        Local(name="truth_mc1", rows=_first(truth)[6:], asks=QA, shots=_first(truth)[:6]),
        Local(name="truth_mc2", rows=[*truth[6:], *_unlikely()], asks=QA, truth=True),
        Local(name="bbh_booleans", rows=bbh["boolean_expressions"][3:], shots=_three(bbh)),
        Local(name="bbh_fallacies", rows=bbh["formal_fallacies"]),
        Local(name="bbh_hyperbaton", rows=bbh["hyperbaton"]),
        Local(name="bbh_snarks", rows=snarks[3:], shots=snarks[:3]),
        Local(name="bbh_colours", rows=colours[3:], shots=colours[:3]),
        Local(name="xquad", rows=_xquad(data)),
        Local(name="snips", rows=_snips(data)),
        Local(name="clinc", rows=_clinc(data)),
    ]
    return [
        Local(
            name=one.name, rows=_some(one, limit), asks=one.asks, shots=one.shots, truth=one.truth
        )
        for one in made
    ]


def write(tasks: Sequence[Local], folder: Path) -> None:
    """A file of rows and one of shots a task, and the YAML by which lm-eval reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "instead.py").write_text(INSTEAD, encoding="utf-8")
    for one in tasks:
        for name, rows in ((one.name, one.rows), (f"{one.name}.shots", one.shots)):
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
        (folder / f"{one.name}.yaml").write_text(_yaml(one, folder), encoding="utf-8")


def _yaml(one: Local, folder: Path) -> str:
    files = {"test": str(folder / f"{one.name}.jsonl")}
    if one.shots:
        files["shots"] = str(folder / f"{one.name}.shots.jsonl")
    asked = one.asks.replace("{question}", "{{question}}")
    form: dict[str, Any] = {
        "task": one.name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": files},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": asked,
        "doc_to_choice": "options",
        "doc_to_target": "answer",
        "target_delimiter": " ",
        "fewshot_delimiter": "\n\n",
        "num_fewshot": len(one.shots),
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
        "metadata": {"version": 1},
    }
    if one.shots:
        form |= {"fewshot_split": "shots", "fewshot_config": {"sampler": "first_n"}}
    if one.truth:
        form |= {"doc_to_target": "first", "metric_list": [{"metric": "acc"}]}
        text = json.dumps(form, indent=1)  # JSON is YAML, but for the function's tag
        return text[:-2] + ',\n "process_results": !function instead.process_results_mc2\n}\n'
    return json.dumps(form, indent=1) + "\n"


QA = "Q: {question}\nA:"


def _truth(data: Path) -> list[Row]:
    found = []
    with (data / "truthfulqa" / "truthfulqa_half.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            best = row["Best Answer"].strip()
            true = _apart([best, *row["Correct Answers"].split(";")])
            false = [one for one in _apart(row["Incorrect Answers"].split(";")) if one not in true]
            labels = [1] * len(true) + [0] * len(false)
            if false:
                found.append(
                    {
                        "question": row["Question"],
                        "options": true + false,
                        "answer": list(range(len(true))),
                        "first": 0,
                        "mc2_targets": {"labels": labels},
                    }
                )
    return found


def _apart(texts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(one.strip() for one in texts if one.strip()))


def _first(rows: Sequence[Row]) -> list[Row]:
    """The best answer and the false ones."""
    return [
        {
            "question": row["question"],
            "options": [row["options"][0], *row["options"][len(row["answer"]) :]],
            "answer": 0,
        }
        for row in rows
    ]


def _unlikely() -> list[Row]:
    """Answers so unlikely that the sum of their probabilities is nothing in floating point."""
    draw = Random(7)
    letters = "qxzjvkw"
    options = ["".join(draw.choice(letters) for _ in range(600)) for _ in range(4)]
    labels = {"labels": [1, 1, 0, 0]}
    row = {"question": "Which?", "options": options, "answer": [0, 1], "mc2_targets": labels}
    return [{**row, "first": 0}]


def _bbh(data: Path) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    options: dict[str, dict[str, None]] = {}
    rows = list(_lines(data / "bbh" / "bbh.jsonl.gz"))
    for row in rows:
        options.setdefault(row["task"], {})[row["target"]] = None
    for row in rows:
        every = sorted(options[row["task"]])
        form = {"question": row["input"], "options": every, "answer": every.index(row["target"])}
        found.setdefault(row["task"], []).append(form)
    return found


def _three(bbh: dict[str, list[Row]]) -> list[Row]:
    return bbh["boolean_expressions"][:3]


def _xquad(data: Path) -> list[Row]:
    """The answer among those to other questions on the same paragraph."""
    content = json.loads((data / "xquad_en" / "xquad.en.json").read_text(encoding="utf-8"))
    found = []
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            answers = [asked["answers"][0]["text"] for asked in paragraph["qas"]]
            options = list(dict.fromkeys(answers))[:4]
            for asked, answer in zip(paragraph["qas"], answers, strict=True):
                if answer in options and len(options) > 1:
                    text = f"{paragraph['context']}\nQuestion: {asked['question']}"
                    place = options.index(answer)
                    found.append({"question": text, "options": options, "answer": place})
    return found


def _snips(data: Path) -> list[Row]:
    rows = [json.loads(line) for line in _text(data / "snips" / "validate.jsonl").splitlines()]
    intents = sorted({row["intent"] for row in rows})
    return [
        {"question": row["input"], "options": intents, "answer": intents.index(row["intent"])}
        for row in rows
    ]


def _clinc(data: Path) -> list[Row]:
    with gzip.open(data / "clinc150" / "data_full.json.gz", "rt", encoding="utf-8") as file:
        rows = json.load(file)["test"]
    intents = sorted({intent for _, intent in rows})
    draw = Random(11)
    found = []
    for said, intent in rows[::9]:
        options = [*draw.sample([one for one in intents if one != intent], 4), intent]
        options = [one.replace("_", " ") for one in sorted(options)]
        place = options.index(intent.replace("_", " "))
        found.append({"question": said, "options": options, "answer": place})
    return found


def _some(one: Local, limit: int | None) -> list[Row]:
    """At most so many rows; the last is kept where mc2 is wanted: it is the unlikely one."""
    if limit is None or len(one.rows) <= limit:
        return list(one.rows)
    return [*one.rows[: limit - 1], one.rows[-1]]


def _lines(path: Path) -> Iterator[Row]:
    opener: Callable[..., Any] = gzip.open
    with opener(path, "rt", encoding="utf-8") as file:
        yield from (json.loads(line) for line in file)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
