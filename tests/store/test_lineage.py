from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.core.test_row import ROW
from tutelage.core.artifact import Kind, Provenance
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.row import Source
from tutelage.store.artifact import Artifact
from tutelage.store.lineage import ancestry, descendants, explain_row, rows
from tutelage.store.store import Store
from tutelage.store.tables import LEDGER, ROWS, write_ledger, write_rows

SECOND = replace(ROW, id="", messages=ROW.messages[:1], source=Source(uri="a.jsonl", line=2))
DROPPED = LedgerEntry(
    row="a.jsonl:3", stage="curate", decision=Decision.DROP, reason=Reason.INVALID_JSON
)
REPEAT = LedgerEntry(
    row="ff", stage="curate", decision=Decision.DROP, reason=Reason.NEAR_DUPLICATE, other_row=ROW.id
)


def dataset(store: Store) -> Artifact:
    provenance = Provenance(
        kind="dataset", inputs={"source:a.jsonl": "ab" * 32}, section={}, stage_version=1
    )
    with store.put(provenance) as draft:
        write_rows(draft.folder / ROWS, [ROW, SECOND])
        write_ledger(draft.folder / LEDGER, [DROPPED, REPEAT])
    return draft.artifact


def made_of(store: Store, kind: Kind, **inputs: Artifact) -> Artifact:
    digests = {name: artifact.digest for name, artifact in inputs.items()}
    with store.put(Provenance(kind=kind, inputs=digests, section={}, stage_version=1)) as draft:
        (draft.folder / "a").write_text(kind)
    return draft.artifact


def test_lineage_walks_down_to_the_rows_and_up_again(tmp_path: Path) -> None:
    store = Store(root=tmp_path)
    data = dataset(store)
    adapter = made_of(store, "adapter", dataset=data)
    report = made_of(store, "report", adapter=adapter, dataset=data)
    tree = ancestry(store, report)
    assert [(node.name, node.digest) for node in tree.walk()] == [
        ("report", report.digest),
        ("adapter", adapter.digest),
        ("dataset", data.digest),
        ("source:a.jsonl", "ab" * 32),
        ("dataset", data.digest),
        ("source:a.jsonl", "ab" * 32),
    ]
    assert tree.inputs[0].inputs[0].inputs[0].artifact is None
    assert rows(store, report) == [ROW, SECOND]
    assert {one.name for one in descendants(store, data.digest)} == {adapter.name, report.name}
    assert next(one.name for one in descendants(store, "ab" * 32)) == data.name
    assert descendants(store, report.digest) == []


def test_a_row_is_explained_by_its_decisions_and_all_that_saw_it(tmp_path: Path) -> None:
    store = Store(root=tmp_path)
    data = dataset(store)
    adapter = made_of(store, "adapter", dataset=data)
    kept = explain_row(store, ROW.id)
    assert kept.example == ROW
    assert kept.entries == (REPEAT,)
    assert [one.name for one in kept.datasets] == [data.name]
    assert [one.name for one in kept.offspring] == [adapter.name]
    left = explain_row(store, "a.jsonl:3")
    assert (left.example, left.entries, left.datasets) == (None, (DROPPED,), ())
