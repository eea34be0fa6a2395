"""Stages: exact counts, every row once, and what is asked for but is not there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from tutelage.core.conversation import Message
from tutelage.core.errors import RecipeError, RowError
from tutelage.core.ledger import Reason
from tutelage.core.recipe import Curate, loads
from tutelage.core.row import Example, Source, Split
from tutelage.curate.mix import Mixed, share_out, told_of
from tutelage.curate.mix import mix as mixed_of
from tutelage.curate.shelf import Rows


def example(asked: str, split: Split) -> Example:
    return Example(
        messages=(Message(role="user", content=asked), Message(role="assistant", content="Yes")),
        origin="human",
        licence="CC0-1.0",
        source=Source(uri="rows.jsonl", line=1),
        split=split,
    )


def section(stages: list[dict[str, Any]], sources: str = "abc") -> Curate:
    files = [{"path": f"{one}.jsonl", "origin": "human", "licence": "CC0-1.0"} for one in sources]
    return Curate.model_validate({"sources": files, "stages": stages})


def rows(**counts: int) -> tuple[list[Example], list[str]]:
    """So many taught rows of each source, and a tenth as many held out."""
    made, names = [], []
    for source, count in counts.items():
        for number in range(count + count // 10):
            made.append(example(f"{source} {number}", "train" if number < count else "validation"))
            names.append(source)
    return made, names


@dataclass(frozen=True, slots=True)
class Taken:
    """The rows with their stages, beside what is told of them."""

    examples: list[Example]
    mixed: Mixed

    @property
    def counts(self) -> Any:
        return self.mixed.counts

    @property
    def left(self) -> Any:
        return self.mixed.left


def mix(examples: list[Example], names: list[str], section: Curate, seed: int) -> Taken:
    held = np.array([one.split == "validation" for one in examples])
    mixed = mixed_of(Rows.of(examples), held, names, section, seed)
    stages = mixed.stages or [None] * len(mixed.order)
    staged = [
        replace(examples[index], stage=stage)
        for index, stage in zip(mixed.order.tolist(), stages, strict=True)
    ]
    return Taken(staged, mixed)


def taught(mixed: Taken, names: dict[str, str]) -> list[tuple[str | None, str]]:
    return [(one.stage, names[one.id]) for one in mixed.examples if one.split == "train"]


THREE = [
    {"name": "general", "mix": {"a": 1}},
    {"name": "domain", "mix": {"b": 4, "a": 1}},
    {"name": "format", "mix": {"c": 4, "a": 1}, "rows": 50},
]


def test_three_stages_with_a_fifth_of_general_rows_have_exact_counts() -> None:
    examples, names = rows(a=100, b=80, c=80)
    mixed = mix(examples, names, section(THREE), seed=7)
    of = dict(zip([one.id for one in examples], names, strict=True))
    assert mixed.counts == {
        "general": {"a": 70},
        "domain": {"b": 80, "a": 20},
        "format": {"c": 40, "a": 10},
    }
    assert Counter(taught(mixed, of)) == {
        ("general", "a"): 70,
        ("domain", "b"): 80,
        ("domain", "a"): 20,
        ("format", "c"): 40,
        ("format", "a"): 10,
    }
    stages = [one.stage for one in mixed.examples]
    assert stages == sorted(stages, key=["general", "domain", "format"].index)


def test_every_row_is_in_one_stage_or_in_the_ledger() -> None:
    examples, names = rows(a=100, b=80, c=80)
    mixed = mix(examples, names, section(THREE), seed=7)
    kept = [one.id for one in mixed.examples]
    left = [examples[index].id for index in mixed.left]
    assert sorted(kept + left) == sorted(one.id for one in examples)
    assert {one.reason for one in mixed.left.values()} == {Reason.NOT_MIXED}


def test_rows_are_held_out_of_each_stage_in_its_shares() -> None:
    examples, names = rows(a=100, b=80, c=80)
    mixed = mix(examples, names, section(THREE), seed=7)
    of = dict(zip([one.id for one in examples], names, strict=True))
    held = [(one.stage, of[one.id]) for one in mixed.examples if one.split == "validation"]
    assert Counter(held) == {
        ("general", "a"): 4,  # ten rows in three stages: the first has the one that is over
        ("domain", "b"): 8,
        ("domain", "a"): 2,
        ("format", "c"): 8,
        ("format", "a"): 2,
    }


def test_the_order_of_a_file_does_not_matter() -> None:
    examples, names = rows(a=40, b=40)
    stages = [{"name": "one", "mix": {"a": 1, "b": 1}, "rows": 20}]
    there = mix(examples, names, section(stages, "ab"), seed=7)
    back = mix(examples[::-1], names[::-1], section(stages, "ab"), seed=7)
    assert {one.id for one in there.examples} == {one.id for one in back.examples}


def test_without_stages_every_row_is_taken_as_it_is() -> None:
    examples, names = rows(a=5)
    taken = mix(examples, names, section([], "a"), seed=7)
    assert (taken.examples, taken.left, taken.counts) == (examples, {}, {})


def test_shares_come_to_whole_rows_whose_sum_is_exact() -> None:
    assert share_out({"a": 1, "b": 1, "c": 1}, 100) == {"a": 34, "b": 33, "c": 33}
    assert share_out({"a": 0.8, "b": 0.2}, 5) == {"a": 4, "b": 1}


def test_a_stage_that_asks_for_more_rows_than_there_are_is_refused() -> None:
    examples, names = rows(a=10, b=10)
    stages = [{"name": "one", "mix": {"a": 9, "b": 1}, "rows": 20}]
    with pytest.raises(RowError, match="stage `one` needs more rows") as caught:
        mix(examples, names, section(stages, "ab"), seed=7)
    assert [row.where for row in caught.value.rows] == ["a"]


def test_stages_that_name_no_source_or_several_or_each_other_are_refused_at_once() -> None:
    text = """name: a
curate:
  sources:
    - {path: a.jsonl, origin: human, licence: CC0-1.0}
    - {path: old/b.jsonl, origin: human, licence: CC0-1.0}
    - {path: new/b.jsonl, origin: human, licence: CC0-1.0}
  stages:
    - {name: one, mix: {a: 1, d: 1}}
    - {name: one, mix: {b: 1}}
"""
    with pytest.raises(RecipeError) as caught:
        loads(text)
    assert [(row.where, row.problem) for row in caught.value.rows] == [
        ("recipe:8:31", "no source is called `d`; expected some of a, b"),
        ("recipe:9:8", "stage `one` is named twice"),
        ("recipe:9:25", "several sources are called `b`; give them a `name` each"),
    ]


def test_two_stages_that_only_share_sources_must_say_how_long_they_are() -> None:
    examples, names = rows(a=10)
    stages = [{"name": "one", "mix": {"a": 1}}, {"name": "two", "mix": {"a": 1}}]
    with pytest.raises(RecipeError, match="how long is stage `two`"):
        mix(examples, names, section(stages, "a"), seed=7)


def test_a_source_is_called_by_its_file_unless_it_is_named() -> None:
    source = {"path": "data/general.jsonl.gz", "origin": "human", "licence": "CC0-1.0"}
    curate = Curate.model_validate({"sources": [source, {**source, "name": "talk"}]})
    assert [one.called for one in curate.sources] == ["general", "talk"]


@pytest.mark.parametrize(
    ("stages", "sources", "words", "note"),
    [
        ([], "a", "all rows are of one source; 10 to 30 % of general rows", True),
        ([{"name": "one", "mix": {"a": 1}}], "ab", "all rows are of one source", True),
        ([], "ab", "2 sources, as many rows as each has", False),
        ([{"name": "one", "mix": {"a": 4, "b": 1}}], "ab", "one: a 80 %, b 20 %", False),
    ],
)
def test_a_mix_is_told_and_general_rows_are_thought_of(
    stages: list[dict[str, Any]], sources: str, words: str, note: bool
) -> None:
    told = told_of(section(stages, sources))
    assert (told[0].startswith(words), told[1]) == (True, note)


def held(counts: dict[str, tuple[int, int]], stages: list[dict[str, Any]]) -> dict[str, int]:
    """What is held out by source, of so many rows taught and held out."""
    examples: list[Example] = []
    names: list[str] = []
    for source, (taught, apart) in counts.items():
        examples += [example(f"{source} taught {at}", "train") for at in range(taught)]
        examples += [example(f"{source} held {at}", "validation") for at in range(apart)]
        names += [source] * (taught + apart)
    mixed = mix(examples, names, section(stages, "".join(counts)), seed=7)
    of = dict(zip([one.id for one in examples], names, strict=True))
    return Counter(of[one.id] for one in mixed.examples if one.split == "validation")


def test_a_source_too_small_to_be_held_out_leaves_the_others_held_out() -> None:
    one = [{"name": "one", "mix": {"a": 99, "b": 1}}]
    assert held({"a": (400, 40), "b": (9, 0)}, one) == {"a": 21}  # a twentieth of all
    assert held({"a": (400, 40), "b": (9, 1)}, one) == {"a": 40}


def test_a_row_fewer_of_the_main_source_changes_little() -> None:
    main = [{"name": "one", "mix": {"a": 80, "b": 20}}]
    assert held({"a": (1000, 53), "b": (250, 250)}, main) == {"a": 53, "b": 13}
    assert held({"a": (1000, 52), "b": (250, 250)}, main) == {"a": 52, "b": 13}


def test_few_rows_held_out_are_shared_by_the_stages_as_far_as_they_go() -> None:
    stages = [{"name": name, "mix": {"a": 1}, "rows": 10} for name in ("one", "two", "three")]
    assert held({"a": (40, 2)}, stages) == {"a": 2}
