"""Models and rows of the training benchmark."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from methods import ROOT

BASE = ROOT / "tutelage" / "bases" / "tiny"
DATA = ROOT / "benchmarks" / "data"
POLICY = (
    "You answer for {0}. Be brief and friendly, and answer in the language of the request. Say "
    "only what you know: where a fact is missing, say that it is missing and name who would "
    "know it. Never ask for passwords, card numbers or other secrets, and never repeat one that"
    " was sent to you. Requests about {1} are yours; everything about contracts, refunds or "
    "complaints goes to a person, whom you announce with one sentence. Do not give medical, "
    "legal or tax advice. Where a request would harm somebody, decline in one sentence and "
    "offer what is safe instead. Write lists only where the request has several parts; write "
    "numbers as digits, dates as day, month and year, and amounts with their currency. Links "
    "are left out. If the request is a greeting, greet back and ask what is needed. If it is "
    "rude, stay calm and answer what can be answered. Close with no signature and no "
    "advertisement."
)
POLICIES = [
    POLICY.format(*who)
    for who in (
        ("a public library", "books, opening hours and reading rooms"),
        ("a bicycle shop", "repairs, spare parts and rides"),
        ("a city's parks office", "trees, playgrounds and events"),
        ("a small museum", "tickets, tours and the collection"),
    )
]


def write_base(folder: Path, config: dict[str, Any]) -> None:
    """The shape with random weights, and the shipped base's tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        if (BASE / name).exists():
            (folder / name).write_bytes((BASE / name).read_bytes())
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    model.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


LONG = 400  # characters: the longest answers of the set


def texts(kind: str) -> Iterator[list[dict[str, str]]]:
    """Conversations of a kind, in the order of their file."""
    if kind == "calls":
        yield from calls()
        return
    name = "xquad" if kind == "longprompt" else "dolly"
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        for number, row in enumerate(map(json.loads, file)):
            if kind == "longresp" and len(row["answer"]) < LONG:
                continue
            if kind == "shared" and len(row["answer"]) > 400:
                continue
            said = [("user", row["request"]), ("assistant", row["answer"])]
            if kind == "shared":
                said = [("system", POLICIES[number % len(POLICIES)]), *said]
            yield [{"role": role, "content": text} for role, text in said]


def calls() -> Iterator[list[dict[str, str]]]:
    """Requests and the function calls that answer them."""
    columns = {"system": "instruction", "user": "input", "assistant": "output"}
    with gzip.open(ROOT / "examples/intents/data/train.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = list(map(json.loads, file))
    random.Random(0).shuffle(rows)  # they stand by what they call
    for row in rows:
        yield [{"role": role, "content": row[name]} for role, name in columns.items()]


def spread(rows: list[list[dict[str, str]]], count: int) -> list[list[dict[str, str]]]:
    """So many rows, evenly spread over those sorted by length, the longest too; mixed."""
    ranked = sorted(rows, key=lambda said: -sum(len(one["content"]) for one in said))
    chosen = [ranked[at * len(ranked) // count] for at in range(min(count, len(ranked)))]
    random.Random(1).shuffle(chosen)
    return chosen


def write_rows(path: Path, rows: list[list[dict[str, str]]]) -> None:
    lines = [json.dumps({"messages": messages}) + "\n" for messages in rows]
    path.write_text("".join(lines), encoding="utf-8")


def write_held(folder: Path, rows: list[list[dict[str, str]]]) -> None:
    """The ids and labels of rows held out, for both systems."""
    from tutelage.core.conversation import messages_from
    from tutelage.core.recipe import loads
    from tutelage.core.row import Example, Source
    from tutelage.render.contract import Contract
    from tutelage.store.base import find_base

    recipe = loads("{name: held, train: {base: base}}").at(folder)
    contract = Contract.open(recipe.contract, find_base("base", folder), recipe)
    source = Source(uri="rows.jsonl", line=1)
    examples = [
        Example(messages=messages_from(said), origin="human", licence="CC0-1.0", source=source)
        for said in rows
    ]
    lessons = [one for row in contract.lessons_of(examples) for one in row.lessons]
    held = [[one.prompt, one.completion] for one in lessons]
    (folder / "held.json").write_text(json.dumps(held), encoding="utf-8")
