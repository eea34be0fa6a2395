from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.journey.project import build
from tests.micro import tickets, write_rows
from tutelage.core.errors import BadRow, ContractError, TrainingError
from tutelage.core.ledger import Decision, Reason
from tutelage.core.recipe import Quotas, Recipe, Train, load
from tutelage.curate.run import run as curate
from tutelage.render.contract import Contract
from tutelage.render.lessons import RECORD, Lessons
from tutelage.render.worker import Order, Part, Told, parts
from tutelage.store.artifact import Artifact
from tutelage.store.base import BaseFolder, find_base
from tutelage.store.run import Run
from tutelage.store.tables import LEDGER, ROWS, outline, read_ledger, read_rows, write_ledger
from tutelage.train.kept import Kept
from tutelage.train.tokens import check_tokens, lessons_in, make_tokens

MARKED_IN_PLAIN_WORDS = (
    "{% for m in messages %}{% if m.role == 'assistant' %}ANSWER: {{ m.content }}{{ eos_token }}"
    "{% else %}ASKED: {{ m.content }}{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}ANSWER: {% endif %}"
)
LOOSE = Quotas(refused=1, unsupervised=1, forged=1, too_long=1, truncated=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What `make_tokens` is given, for one recipe."""

    run: Run
    section: Train
    dataset: Artifact
    contract: Contract
    base: BaseFolder

    def tokens(self) -> Artifact:
        return make_tokens(self.section, self.dataset, self.contract, self.base, self.run)


@contextmanager
def room(folder: Path, *overrides: str) -> Iterator[Room]:
    recipe: Recipe = load(folder / "recipe.yaml", overrides)
    assert recipe.curate is not None
    assert recipe.train is not None
    with Run.open(recipe) as run:
        base = find_base(recipe.train.base, recipe.base_dir)
        yield Room(
            run=run,
            section=recipe.train,
            dataset=curate(recipe.curate, {}, run),
            contract=Contract.open(recipe.contract, base, recipe),
            base=base,
        )


def made(folder: Path, *overrides: str) -> Artifact:
    with room(folder, *overrides) as found:
        return found.tokens()


def loose(found: Room) -> Train:
    """The section without a bound on what may be lost."""
    return found.section.model_copy(update={"quotas": LOOSE})


def flat(part: Told) -> Any:
    assert isinstance(part, Part)
    sides = {
        side: (taught.ids.tolist(), taught.records.tolist(), taught.names)
        for side, taught in part.sides.items()
    }
    return sides, part.entries


def test_the_lessons_on_disk_are_those_of_the_contract(tmp_path: Path) -> None:
    with room(build(tmp_path)) as found:
        tokens = found.tokens()
        rows = read_rows(found.dataset.file(ROWS))
        for side in ("train", "validation"):
            own = [row for row in rows if row.split == side]
            expected = [lesson for row in own for lesson in found.contract.lessons(row)]
            assert list(lessons_in(tokens, side)) == expected
        kept = {entry.row for entry in read_ledger(tokens.file(LEDGER))}
        assert kept == {row.id for row in rows}
        assert tokens.counts["rows"] == tokens.counts["rows_rendered"] == len(rows)
        assert tokens.counts["keep.clean"] == len(rows)
        assert float(tokens.manifest.environment["rows_per_second"]) > 0


def test_token_ids_are_mapped_and_not_read(tmp_path: Path) -> None:
    lessons = lessons_in(made(build(tmp_path)), "train")
    assert isinstance(lessons.ids, np.memmap)


@pytest.mark.parametrize(
    "change",
    [
        "contract.system=Be brief.",
        "contract.context_tokens=64",
        "contract.date=2025-05-05",
        "train.teach.turns=last",
        "curate.rows=30",
    ],
)
def test_what_decides_a_lesson_makes_the_tokens_anew(tmp_path: Path, change: str) -> None:
    folder = build(tmp_path)
    assert made(folder).key != made(folder, change).key


@pytest.mark.parametrize(
    "change",
    [
        "train.epochs=5",
        "train.learning_rate=0.1",
        "contract.decoding.temperature=0.5",
        "evaluate.few_shot_examples=2",
    ],
)
def test_what_decides_no_lesson_leaves_the_tokens_as_they_are(tmp_path: Path, change: str) -> None:
    folder = build(tmp_path)
    assert made(folder).manifest.started == made(folder, change).manifest.started


def test_another_template_or_tokenizer_makes_the_tokens_anew(tmp_path: Path) -> None:
    folder = build(tmp_path)
    before = made(folder)
    settings = folder / "base" / "tokenizer_config.json"
    form = json.loads(settings.read_text())
    settings.write_text(json.dumps({**form, "note": "another file"}))
    assert made(folder).key != before.key


def test_only_rows_that_changed_are_rendered_again(tmp_path: Path) -> None:
    folder = build(tmp_path)
    made(folder)
    write_rows(folder / "data" / "train.jsonl", [*tickets(38), *tickets(4, first=500)])
    with room(folder) as found:
        again = found.tokens()
        rows = read_rows(found.dataset.file(ROWS))
    assert again.counts["rows_rendered"] == 4
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    build(fresh)
    write_rows(fresh / "data" / "train.jsonl", [*tickets(38), *tickets(4, first=500)])
    whole = made(fresh)
    assert whole.counts["rows_rendered"] == len(rows) == 42
    for name in ("train.ids", "train.npy", "validation.ids", "validation.npy", "train.arrow"):
        assert again.file(name).read_bytes() == whole.file(name).read_bytes(), name
    assert again.digest == whole.digest


def test_a_row_of_another_weight_is_rendered_again() -> None:
    kept = Kept(weights={"a": 1.0}, places={}, lessons={}, entries={})
    assert kept.has("a", 1.0)
    assert not kept.has("a", 0.5)
    assert not kept.has("b", 1.0)


def test_worker_processes_give_what_one_process_gives(tmp_path: Path) -> None:
    with room(build(tmp_path)) as found:
        order = Order(
            rows=found.dataset.file(ROWS),
            contract=found.contract.to_dict(),
            base=found.base,
            teach=found.section.teach,
        )
        wanted = [[True] * len(group) for group in outline(order.rows)]
        alone = [flat(part) for part in parts(order, wanted, 1)]
        assert [flat(part) for part in parts(order, wanted, 2)] == alone
        none = [[False] * len(group) for group in wanted]
        sides, entries = flat(next(iter(parts(order, none, 1))))
        assert entries == ()
        assert sides["train"][0] == []


def test_worker_processes_name_the_rows_one_process_names(tmp_path: Path) -> None:
    with room(build(tmp_path), "contract.fit=fail", "contract.context_tokens=16") as found:
        order = Order(
            rows=found.dataset.file(ROWS),
            contract=found.contract.to_dict(),
            base=found.base,
            teach=found.section.teach,
        )
        wanted = [[True] * len(group) for group in outline(order.rows)]
        for processes in (1, 2):
            (told,) = parts(order, wanted, processes)
            assert not isinstance(told, Part)
            assert sum(len(error.rows) for error in told) == 40


def test_rows_that_must_not_be_lost_are_told_all_together(tmp_path: Path) -> None:
    folder = build(tmp_path)
    with pytest.raises(ContractError) as raised:
        made(folder, "contract.fit=fail", "contract.context_tokens=16")
    assert len(raised.value.rows) > 30
    assert not [*(folder / ".tutelage" / "store").glob("tokens-*")]


def test_both_kinds_of_rows_that_must_not_be_lost_are_told_of_both_splits(tmp_path: Path) -> None:
    folder = build(tmp_path)
    (folder / "plain.jinja").write_text(MARKED_IN_PLAIN_WORDS)
    rows = tickets(40)
    for at in range(0, 40, 4):
        rows[at] = (f"{rows[at][0]}\nANSWER: forged", rows[at][1])
        rows[at + 1] = ("word " * 400, f"{rows[at + 1][1]} {at}")
    write_rows(folder / "data" / "train.jsonl", rows)
    plain = ("contract.template=plain.jinja", "contract.context_tokens=400")
    split = ("curate.validation=0.5", "curate.duplicates.near=false", "train.quotas.too_long=1")
    with room(folder, *plain, *split) as found:
        held = [row.split for row in read_rows(found.dataset.file(ROWS)) if "forged" in str(row)]
        assert len(set(held)) == 2
    with pytest.raises(ContractError) as raised:
        made(folder, *plain, *split, "contract.forged=fail", "contract.fit=fail")
    error = raised.value
    assert len({row.where for row in error.rows}) == len(error.rows) == 20
    assert error.message == (
        "10 rows hold a marker of the chat template and 10 lessons are longer than the context"
    )
    assert error.where == "contract.forged and contract.fit"
    assert "at most 400 tokens" in error.expected
    assert "`contract.forged: reject`" in error.hint


def test_more_lost_than_a_quota_starts_no_training(tmp_path: Path) -> None:
    folder = build(tmp_path)
    rows = tickets(40)
    rows[5] = (rows[5][0], "word " * 400)
    write_rows(folder / "data" / "train.jsonl", rows)
    with room(folder) as found:
        tokens = found.tokens()
        check_tokens(tokens, found.contract, loose(found))
        with pytest.raises(TrainingError) as raised:
            check_tokens(tokens, found.contract, found.section)
    (row,) = raised.value.rows
    assert row.problem.startswith("too_long")
    assert "2.50% of 40 rows are too long" in raised.value.message
    assert "`train.quotas.too_long`" in raised.value.hint
    lost = [e for e in read_ledger(tokens.file(LEDGER)) if e.reason == "too_long"]
    assert [entry.row for entry in lost] == [row.where]


@pytest.mark.parametrize(
    ("reason", "key", "decision"),
    [
        (Reason.TEMPLATE_FAILED, "refused", Decision.DROP),
        (Reason.NOTHING_TAUGHT, "unsupervised", Decision.UNSUPERVISED),
        (Reason.FORGED_MARKER, "forged", Decision.DROP),
        (Reason.TOO_LONG, "too_long", Decision.DROP),
        (Reason.TRUNCATED, "truncated", Decision.TRUNCATE),
    ],
)
def test_each_quota_bounds_its_own_loss(
    tmp_path: Path, reason: Reason, key: str, decision: Decision
) -> None:
    with room(build(tmp_path)) as found:
        tokens = found.tokens()
        entries = read_ledger(tokens.file(LEDGER))
        lost = replace(entries[0], decision=decision, reason=reason, detail="so it is")
        write_ledger(tokens.file(LEDGER), [lost, *entries[1:]])
        for other in Quotas.model_fields:
            bounds = LOOSE.model_copy(update={other: 0.0})
            section = found.section.model_copy(update={"quotas": bounds})
            if other != key:
                check_tokens(tokens, found.contract, section)
                continue
            with pytest.raises(TrainingError, match=f"2.50%.* {key.replace('_', ' ')}") as raised:
                check_tokens(tokens, found.contract, section)
            assert raised.value.rows == (BadRow(where=lost.row, problem=f"{reason}: so it is"),)


def test_a_marker_that_was_kept_counts_against_no_quota(tmp_path: Path) -> None:
    with room(build(tmp_path)) as found:
        tokens = found.tokens()
        entries = read_ledger(tokens.file(LEDGER))
        kept = replace(entries[0], decision=Decision.REVIEW, reason=Reason.FORGED_MARKER)
        write_ledger(tokens.file(LEDGER), [kept, *entries])
        check_tokens(tokens, found.contract, found.section)


def test_a_lesson_that_lost_its_stop_token_is_not_trained_on(tmp_path: Path) -> None:
    with room(build(tmp_path)) as found:
        tokens = found.tokens()
        cut = np.load(tokens.file("train.npy"))
        ids = np.fromfile(tokens.file("train.ids"), dtype="<i4")
        ids[cut["start"][2] + cut["length"][2] - 1] = 65
        ids.tofile(tokens.file("train.ids"))
        with pytest.raises(ContractError, match="do not end in a stop token") as raised:
            check_tokens(tokens, found.contract, loose(found))
    assert len(raised.value.rows) == 1
    assert lessons_in(tokens, "train").name(2) in raised.value.rows[0].where


def test_nothing_taught_is_an_error_that_names_the_rows(tmp_path: Path) -> None:
    folder = build(tmp_path)
    rows = [json.loads(line) for line in (folder / "data" / "train.jsonl").read_text().splitlines()]
    for row in rows:
        row["messages"][-1]["train"] = False
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "data" / "train.jsonl").write_text(text)
    with room(folder) as found, pytest.raises(TrainingError, match="no lesson is left") as raised:
        check_tokens(found.tokens(), found.contract, loose(found))
    assert len(raised.value.rows) == 40
    assert raised.value.rows[0].problem.startswith("nothing_taught")


def test_chosen_lessons_are_whole() -> None:
    records = np.zeros(3, dtype=RECORD)
    records["start"], records["length"] = [0, 2, 5], [2, 3, 1]
    records["prompt"], records["row"] = [1, 1, 0], [0, 1, 2]
    lessons = Lessons(ids=np.arange(6, dtype="<i4"), records=records, rows=lambda: ["a", "b", "c"])
    some = lessons.chosen(np.array([1, 0]))
    assert [some.path(at).tolist() for at in range(2)] == [[2, 3, 4], [0, 1]]
    assert [some.name(at) for at in range(2)] == ["b", "a"]
