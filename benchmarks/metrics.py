"""Scorers beside those they must equal: values on fuzzed pairs, and pairs a second.

    python benchmarks/metrics.py [--pairs 10000] [FOLDER]

Values are compared with sacrebleu, rouge-score and the rules of SQuAD. Speeds are pairs a
second of one core's time, ours and theirs in turn, on texts of 60 words (short answers for
SQuAD). With a FOLDER of public sets (`xquad_en/xquad.en.json`, `gsm8k/train.jsonl.gz`,
`ifeval/input_data_half.jsonl`, `snips/validate.jsonl`) every scorer that fits is run on rows of
others: right answers must be right, those of the next row mostly not. One JSON line each.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from methods import commit, hardware
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.score.official import pairs, squad
from tutelage.core.conversation import Message
from tutelage.core.intervals import Interval
from tutelage.core.row import Example, Source
from tutelage.score.instructions import Instructions
from tutelage.score.measure import interval
from tutelage.score.roster import open_scorer
from tutelage.score.rouge import rouge, words
from tutelage.score.squad import compare, tokens
from tutelage.score.task import Task, tasks_of

ROUNDS = 5
KINDS = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
LONG, SHORT = 60, 4  # words of a text
Texts = Sequence[tuple[str, str]]
Scored = Callable[[str, str], object]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("folder", type=Path, nargs="?")
    asked = parser.parse_args()
    parity(list(pairs(asked.pairs, 6)))
    speeds()
    if asked.folder is not None:
        rows(asked.folder)


def parity(found: Texts) -> None:
    """The greatest difference of any value."""
    say("squad", max(_off(squad(b, a), compare(tokens(b), tokens(a))) for a, b in found), found)
    for stemmed in (False, True):
        official = RougeScorer(KINDS, use_stemmer=stemmed)
        worst = 0.0
        for truth, answer in found:
            theirs, ours = official.score(truth, answer), _rouge(stemmed)(truth, answer)
            worst = max(worst, *(abs(theirs[kind].fmeasure - ours[kind]) for kind in KINDS))
        say("rouge/stem" if stemmed else "rouge", worst, found)
    answers, truths = [answer for _, answer in found], [truth for truth, _ in found]
    for name, metric in (
        ("bleu", BLEU()),
        ("chrf", CHRF()),
        ("chrf:words", CHRF(word_order=2)),
    ):
        whole = metric.corpus_score(answers, [truths]).score / 100
        say(name, abs(whole - _corpus(name, found)), found)


def speeds() -> None:
    """Ours and theirs in turn, rounds of both; the middle ratio."""
    draw = random.Random(7)
    known = [f"word{index}" for index in range(2_000)]

    def text(length: int) -> list[str]:
        return draw.choices(known, weights=range(2_000, 0, -1), k=length)

    def some(length: int, count: int) -> Texts:
        base = [text(length) for _ in range(count)]
        return [
            (" ".join(one), " ".join(w if draw.random() > 0.3 else draw.choice(known) for w in one))
            for one in base
        ]

    plain, stemmed = RougeScorer(KINDS), RougeScorer(KINDS, use_stemmer=True)
    bleu, chrf = BLEU(effective_order=True), CHRF()
    long, short = some(LONG, 600), some(SHORT, 20_000)
    race("squad", short, _scored("squad"), lambda a, b: squad(b, a))
    race("rouge", long, _scored("rouge"), plain.score)
    race("rouge/stem", long, _scored("rouge:stem"), stemmed.score)
    race("bleu", long, _scored("bleu"), lambda a, b: bleu.sentence_score(b, [a]))
    race("chrf", long, _scored("chrf"), lambda a, b: chrf.sentence_score(b, [a]))


def race(name: str, found: Texts, ours: Scored, theirs: Scored) -> None:
    """Pairs a second of both, and how many times as many are ours."""
    few = found[: max(100, len(found) // 20)]
    timed(ours, found)  # tasks are made
    rates = [(timed(ours, found), timed(theirs, few)) for _ in range(ROUNDS)]
    for who, values in (
        ("ours", [one for one, _ in rates]),
        ("theirs", [one for _, one in rates]),
        ("ratio", [one / two for one, two in rates]),
    ):
        low, value, high = min(values), float(np.median(values)), max(values)
        unit = "times theirs" if who == "ratio" else "pairs a second of one core"
        method = f"lowest, middle and highest of {ROUNDS} rounds"
        write(f"metrics/speed/{name}/{who}", value, low, high, n=len(found), unit=unit, how=method)


def rows(folder: Path) -> None:
    """Scorers on rows of others: the right answers, and those of the next row."""
    for name, tasks in (
        ("squad", list(xquad(folder))),
        ("rouge", list(xquad(folder))),
        ("bleu", list(xquad(folder))),
        ("chrf", list(xquad(folder))),
        ("number", list(gsm8k(folder))),
        ("number:last", list(gsm8k(folder))),
        ("call", list(snips(folder))),
        ("fields", list(snips(folder))),
        ("rouge", list(snips(folder))),
    ):
        bad = [task.id for task in tasks if open_scorer(name, None).problem(task)]
        assert not bad, (name, bad[:3])
        where = tasks[0].id.partition("/")[0]
        right = [(task, task.expected) for task in tasks]
        turned = [(task, tasks[place - 1].expected) for place, task in enumerate(tasks)]
        for which, answers in (("right", right), ("of_another_row", turned)):
            found = _headline(name, answers)
            place = f"metrics/rows/{where}/{name}/{which}"
            write(
                place, found.value, found.low, found.high, n=found.n, unit="share", how=found.method
            )
    instructed = list(ifeval(folder))
    bad = [task.id for task in instructed if Instructions().problem(task)]
    write(
        "metrics/rows/ifeval/instructions/unreadable",
        len(bad) / len(instructed),
        n=len(instructed),
        unit="share",
        how="counted",
    )


def xquad(folder: Path) -> Iterator[Task]:
    """Questions over paragraphs, with short answers."""
    form = json.loads((folder / "xquad_en" / "xquad.en.json").read_text(encoding="utf-8"))
    for article in form["data"]:
        for paragraph in article["paragraphs"]:
            for one in paragraph["qas"]:
                texts = [answer["text"] for answer in one["answers"]]
                yield task("xquad", one["question"], texts[0], context=paragraph["context"])


def gsm8k(folder: Path) -> Iterator[Task]:
    """Problems with their worked answers."""
    with gzip.open(folder / "gsm8k" / "train.jsonl.gz", "rt", encoding="utf-8") as stream:
        for line in stream:
            form = json.loads(line)
            yield task("gsm8k", form["question"], form["answer"])


def snips(folder: Path) -> Iterator[Task]:
    """Requests, each with one call."""
    text = (folder / "snips" / "validate.jsonl").read_text(encoding="utf-8")
    for line in text.splitlines():
        form = json.loads(line)
        yield task("snips", form["input"], form["output"])


def ifeval(folder: Path) -> Iterator[Task]:
    """Prompts with their instructions; there are no answers to them."""
    path = folder / "ifeval" / "input_data_half.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines():
        form = json.loads(line)
        listed = zip(form["instruction_id_list"], form["kwargs"], strict=True)
        asked = [{"id": kind, **told} for kind, told in listed]
        yield task("ifeval", form["prompt"], "-", instructions=json.dumps(asked))


def task(suite: str, said: str, answer: str, **tags: str) -> Task:
    """One row as a task."""
    example = Example(
        messages=(Message(role="user", content=said), Message(role="assistant", content=answer)),
        origin="human",
        licence="as its set",
        source=Source(uri=suite, line=1),
        tags=tags,
    )
    return tasks_of(suite, [example])[0]


def timed(score: Scored, found: Texts) -> float:
    """Pairs a second of processor time."""
    began = time.process_time()
    for truth, answer in found:
        score(truth, answer)
    return len(found) / (time.process_time() - began)


def _headline(name: str, answers: Sequence[tuple[Task, str]]) -> Interval:
    scorer = open_scorer(name, None)
    measure = next(one for one in scorer.measures if one.metric == scorer.headline)
    scores = [scorer.score(one, answer) for one, answer in answers]
    places = [str(place) for place in range(len(answers))]
    return interval(measure, scores, places, np.random.default_rng(0))


def _corpus(name: str, found: Texts) -> float:
    return _headline(name, [(task("x", "x", truth), answer) for truth, answer in found]).value


def _rouge(stemmed: bool) -> Callable[[str, str], dict[str, float]]:
    return lambda truth, answer: rouge(words(truth, stemmed), words(answer, stemmed))


def _scored(name: str) -> Scored:
    scorer = open_scorer(name, None)
    tasks: dict[str, Task] = {}

    def score(truth: str, answer: str) -> object:
        if truth not in tasks:
            tasks[truth] = task("x", "x", truth)  # a suite makes them once
        return scorer.score(tasks[truth], answer)

    return score


def _off(one: Sequence[float], two: Sequence[float]) -> float:
    return max(abs(first - second) for first, second in zip(one, two, strict=True))


def say(name: str, worst: float, found: Texts) -> None:
    """One greatest difference."""
    write(
        f"metrics/parity/{name}",
        worst,
        n=len(found),
        unit="greatest difference",
        how="all pairs, one after the other; BLEU and chrF of all together",
    )


def write(
    name: str,
    value: float,
    low: float | None = None,
    high: float | None = None,
    **about: float | str,
) -> None:
    """One JSON line."""
    about["method"] = about.pop("how")
    form = {"benchmark": name, "value": value, "low": low, "high": high, **about}
    print(json.dumps({**form, "commit": commit(), "hardware": f"{hardware()}, one core used"}))


if __name__ == "__main__":
    main()
