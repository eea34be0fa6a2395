"""What holding answers to a schema costs: making the grammar, and a mask a token.

    python benchmarks/constrained.py [--answers 32]

For the tools of the quick start and the labels of the second task, over the tokens of the shipped
base and of published tokenizers: milliseconds to read a tokenizer (once an engine), to make a
grammar of the schema (once a suite) and microseconds of a mask a token of one of 32 answers side by
side, each at its own place. CPU time of all cores, so it may run in company. One JSON line a
figure, median and extremes of the rounds; they go to `benchmarks/results/constrained.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from methods import RESULTS, ROOT, commit, hardware

sys.path.insert(0, str(ROOT))

from tests.render.vocabularies import tokenizer_of
from tutelage.engine.grammar import Grammar, Vocabulary, schema_of
from tutelage.render.tokenizer import read_tokenizer
from tutelage.store.base import EMBEDDED, find_base

ROUNDS = 3
TOKENS = 40  # of each answer, at most
SCHEMAS = {"tools": "examples/intents/tools.json", "labels": "examples/support/intents.json"}
LINES: list[str] = []


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--answers", type=int, default=32)
    given = parser.parse_args()
    tiny = read_tokenizer(find_base(EMBEDDED, Path())).tokenizer
    known = {"tiny": tiny, "gpt-neox": tokenizer_of("gpt-neox"), "phi-3": tokenizer_of("phi-3")}
    for name, tokenizer in known.items():
        for label, path in SCHEMAS.items():
            schema = json.dumps(schema_of(json.loads((ROOT / path).read_text(encoding="utf-8"))))
            measure(f"{name}/{label}", tokenizer, schema, given.answers)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "constrained.jsonl").write_text("".join(LINES), encoding="utf-8")


def measure(name: str, tokenizer: Any, schema: str, answers: int) -> None:
    """All figures of one tokenizer and one schema."""
    size = tokenizer.get_vocab_size()
    read = [timed(lambda: Vocabulary.of(tokenizer, size, (0,))) for _ in range(ROUNDS)]
    write(f"{name}/tokenizer", read, "milliseconds")
    vocabulary = Vocabulary.of(tokenizer, size, (0,))
    write(
        f"{name}/grammar",
        [timed(lambda: Grammar(schema, vocabulary)) for _ in range(ROUNDS)],
        "milliseconds",
    )
    grammar = Grammar(schema, vocabulary)
    write(
        f"{name}/mask",
        [walk(grammar, answers, number) for number in range(ROUNDS)],
        "microseconds a token",
        answers=answers,
        vocabulary=size,
    )


def walk(grammar: Grammar, answers: int, seed: int) -> float:
    """Microseconds of masks and steps, a token of an answer, of answers that draw what they may."""
    draw = np.random.default_rng(seed)
    held = grammar.held(answers)
    open_ones = list(range(answers))
    seconds, drawn = 0.0, 0
    for _ in range(TOKENS):
        began = time.process_time()
        masks = held.masks(open_ones)
        seconds += time.process_time() - began
        bits = np.unpackbits(masks, axis=1, bitorder="little")
        tokens = [int(draw.choice(np.flatnonzero(row))) for row in bits]
        drawn += len(open_ones)
        left = []
        for answer, token in zip(open_ones, tokens, strict=True):
            if token in grammar.stop:
                continue
            began = time.process_time()
            held.take(answer, token)
            seconds += time.process_time() - began
            left.append(answer)
        open_ones = left
        if not open_ones:
            break
    return 1e6 * seconds / drawn


def timed(act: Any) -> float:
    """Milliseconds of all cores."""
    began = time.process_time()
    act()
    return 1000 * (time.process_time() - began)


def write(name: str, values: list[float], unit: str, **more: object) -> None:
    """One line: the median and the extremes."""
    line = {
        "benchmark": f"constrained/{name}",
        "value": round(float(np.median(values)), 3),
        "low": round(min(values), 3),
        "high": round(max(values), 3),
        "unit": unit,
        "n": len(values),
        **more,
        "commit": commit(),
        "hardware": hardware(),
    }
    LINES.append(json.dumps(line) + "\n")
    print(LINES[-1], end="")


if __name__ == "__main__":
    main()
