"""A whole project on a micro base: forty rows, ten tasks, seconds to run."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.micro import micro_base, tickets, write_rows
from tutelage.cli import main

ROWS, TASKS = 40, 10
RECIPE = """\
name: tickets
seed: 7
contract:
  output_schema: answer.schema.json
  fit: reject
  decoding: {max_new_tokens: 8}
curate:
  sources: [{path: data/train.jsonl, origin: human, licence: CC0-1.0}]
  validation: 0.1
  duplicates: {near: false}
train:
  base: base
  method: full
  epochs: 2
  rows_tokens: 256
  step_tokens: 512
  precision: fp32
  threads: 1
evaluate:
  suites: [{name: tickets, path: data/test.jsonl, scorers: [json, schema]}]
  baselines: [zero_shot, few_shot]
  few_shot_examples: 1
gate:
  - tickets.parse >= 0.00
"""
SCHEMA = '{"type": "object", "required": ["team"]}'


def build(folder: Path, *, base: bool = True) -> Path:
    """Writes the project; the base may be left out where no run comes to it."""
    write_rows(folder / "data" / "train.jsonl", tickets(ROWS))
    write_rows(folder / "data" / "test.jsonl", tickets(TASKS, first=1000))
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "answer.schema.json").write_text(SCHEMA)
    if base:
        micro_base(folder / "base")
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What a command line printed and how it ended."""

    code: int
    out: str
    err: str


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """The folder is the current one for the block."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def speak(folder: Path, *words: str) -> Spoken:
    """Runs a command line in a folder."""
    out, err = io.StringIO(), io.StringIO()
    with inside(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return Spoken(code=code, out=out.getvalue(), err=err.getvalue())
