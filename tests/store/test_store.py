from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tutelage.core.artifact import Manifest, Provenance
from tutelage.core.digest import strong_digest
from tutelage.core.errors import StoreError
from tutelage.store.artifact import Artifact, read_manifest
from tutelage.store.store import Draft, Store

PROVENANCE = Provenance(
    kind="dataset",
    inputs={"source:a.jsonl": "ab" * 32},
    section={"validation": 0.05},
    stage_version=1,
    seeds={"curate.split": 3},
)


def store_in(folder: Path) -> Store:
    return Store.beside(folder)


def put(store: Store, provenance: Provenance = PROVENANCE, words: str = "hello") -> Artifact:
    with store.put(provenance) as draft:
        (draft.folder / "deep").mkdir()
        (draft.folder / "deep" / "a.txt").write_text(words)
        (draft.folder / "b.txt").write_text("b")
        draft.counts["kept"] = 2
    return draft.artifact


def test_an_artifact_is_found_by_its_key_with_all_that_was_recorded(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    assert store.find(PROVENANCE.key) is None
    made = put(store)
    found = store.find(PROVENANCE.key)
    assert found == made
    assert made.folder == tmp_path / ".tutelage" / "store" / f"dataset-{made.digest[:12]}"
    assert made.file("deep/a.txt").read_text() == "hello"
    assert made.counts == {"kept": 2}
    assert made.manifest.environment["python"]


def test_the_manifest_has_the_fields_of_the_design_and_no_host_or_path(tmp_path: Path) -> None:
    text = (put(store_in(tmp_path)).folder / "manifest.json").read_text()
    manifest = json.loads(text)
    assert " ".join(manifest) == (
        "schema kind digest key files inputs section stage_version seeds counts environment "
        "started seconds"
    )
    assert manifest["files"]["b.txt"] == {
        "sha256": "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d",
        "bytes": 1,
    }
    assert str(tmp_path) not in text
    assert os.uname().nodename not in text


def test_digest_covers_the_files_only(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    made = put(store)
    other = put(store, replace(PROVENANCE, stage_version=2))
    assert made.digest == other.digest
    assert made.digest == strong_digest({p: r.sha256 for p, r in made.manifest.files.items()})
    assert put(store, replace(PROVENANCE, stage_version=3), "hullo").digest != made.digest


def test_equal_files_are_kept_once_and_each_key_keeps_its_own_provenance(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    later = replace(PROVENANCE, inputs={"source:b.jsonl": "cd" * 32})
    first, second = put(store), put(store, later)
    assert first.folder == second.folder
    assert len(store.artifacts()) == 1
    for provenance in (PROVENANCE, later):
        found = store.find(provenance.key)
        assert found is not None
        assert found.manifest.inputs == provenance.inputs


@pytest.mark.parametrize(
    "changed",
    [
        replace(PROVENANCE, kind="tokens"),
        replace(PROVENANCE, inputs={"source:a.jsonl": "cd" * 32}),
        replace(PROVENANCE, section={"validation": 0.1}),
        replace(PROVENANCE, stage_version=2),
        replace(PROVENANCE, seeds={"curate.split": 4}),
    ],
)
def test_key_moves_with_everything_an_artifact_is_made_from(changed: Provenance) -> None:
    assert changed.key != PROVENANCE.key


def test_a_block_that_raises_leaves_nothing(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    with pytest.raises(KeyError), store.put(PROVENANCE) as draft:
        (draft.folder / "a").write_text("half")
        raise KeyError("stopped")
    assert store.find(PROVENANCE.key) is None
    assert store.artifacts() == []
    assert list(store.temp.iterdir()) == []


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    with pytest.raises(StoreError, match="the disk is full"), store.put(PROVENANCE) as draft:
        (draft.folder / "a").write_text("half")
        with open("/dev/full", "w") as full:
            full.write("x")
    assert store.artifacts() == []
    assert list(store.temp.iterdir()) == []


def test_a_draft_is_no_artifact_before_its_block_ends(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not made before"):
        Draft(folder=tmp_path).artifact  # noqa: B018


def test_damage_is_named_file_by_file(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    made = put(store)
    (made.folder / "b.txt").write_text("c")
    (made.folder / "deep" / "a.txt").write_text("hello, longer")
    with pytest.raises(StoreError, match="is damaged") as raised:
        store.find(PROVENANCE.key)
    assert {row.where: row.problem for row in raised.value.rows} == {
        "b.txt": "has other bytes than were written",
        "deep/a.txt": "has 13 bytes; expected 5",
    }
    (made.folder / "deep" / "a.txt").write_text("hello")
    (made.folder / "b.txt").unlink()
    with pytest.raises(StoreError, match=r"b\.txt  is missing"):
        store.load(made.name)


def test_making_a_damaged_artifact_anew_repairs_it(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    (put(store).folder / "b.txt").write_text("damaged")
    repaired = put(store)
    assert repaired.file("b.txt").read_text() == "b"
    assert store.find(PROVENANCE.key) == repaired


def test_a_manifest_whose_digest_is_not_its_files_is_damaged(tmp_path: Path) -> None:
    made = put(store_in(tmp_path))
    forged = Artifact(folder=made.folder, manifest=replace(made.manifest, digest="0" * 64))
    with pytest.raises(StoreError, match="its digest is not that of its files"):
        forged.verify()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "tokens"),
        ("key", "0" * 64),
        ("inputs", {"source:a.jsonl": "cd" * 32}),
        ("section", {"validation": 0.5}),
        ("stage_version", 2),
        ("seeds", {"curate.split": 4}),
    ],
)
def test_an_edited_manifest_is_damaged(field: str, value: object, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    path = put(store).folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    (edited,) = store.artifacts()
    for artifact in (edited, Artifact(folder=edited.folder, manifest=put_of(store))):
        with pytest.raises(StoreError, match=r"its `key` is not that of its kind, inputs"):
            artifact.verify()
    assert put(store).intact(), "it was made anew"


def put_of(store: Store) -> Manifest:
    """What the store knows by the key alone."""
    return read_manifest(store.root / "store" / "keys" / f"{PROVENANCE.key}.json")


def test_a_file_too_many_is_told_where_an_artifact_must_be_alone(tmp_path: Path) -> None:
    made = put(store_in(tmp_path))
    (made.folder / "deep" / "c.txt").write_text("c")
    made.verify()
    with pytest.raises(StoreError, match="holds files that are not its") as raised:
        made.verify(alone=True)
    (row,) = raised.value.rows
    assert (row.where, row.problem) == ("deep/c.txt", "is not in the manifest")


def test_an_artifact_whose_folder_was_removed_is_not_there(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    made = put(store)
    made.folder.rename(tmp_path / "away")
    assert store.find(PROVENANCE.key) is None


def test_a_newer_schema_is_refused_and_says_so(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    put(store)
    record = store.root / "store" / "keys" / f"{PROVENANCE.key}.json"
    record.write_text(record.read_text().replace('"schema": 1', '"schema": 2'))
    with pytest.raises(StoreError, match="newer tutelage: schema 2, this one reads 1"):
        store.find(PROVENANCE.key)


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 1}', '{"schema": 1, "files": {"a": 1}}'])
def test_what_is_no_manifest_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    store = store_in(tmp_path)
    put(store)
    (store.root / "store" / "keys" / f"{PROVENANCE.key}.json").write_text(text)
    with pytest.raises(StoreError, match="not a"):
        store.find(PROVENANCE.key)


def test_an_artifact_is_loaded_by_name_digest_or_the_digests_beginning(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    made = put(store)
    for reference in (made.name, made.digest, made.digest[:6]):
        assert store.load(reference) == made
    with pytest.raises(StoreError, match=made.name):
        store.load("tokens-123456")
    with pytest.raises(StoreError, match="no artifacts match"):
        store.load(made.digest[:5])


def test_a_file_an_artifact_does_not_have_is_an_error(tmp_path: Path) -> None:
    made = put(store_in(tmp_path))
    assert made.has("b.txt")
    assert not made.has("c.txt")
    with pytest.raises(StoreError, match=r"expected b\.txt, deep/a\.txt"):
        made.file("c.txt")


HOLD = """
import sys
from pathlib import Path
from tutelage.store.store import Store
with Store.beside(Path(sys.argv[1])).lock():
    folder = Path(sys.argv[1]) / ".tutelage" / "temp" / f"{__import__('os').getpid()}-x"
    folder.mkdir(parents=True)
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_is_told_who_holds_the_store_and_takes_over_from_the_dead(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        store = store_in(tmp_path)
        with pytest.raises(StoreError, match=f"process {holder.pid}"), store.lock():
            pass
        assert len(list(store.temp.iterdir())) == 1
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with store.lock():
        assert list(store.temp.iterdir()) == []


def test_a_lock_is_free_again_after_its_block(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for _ in range(2):
        with store.lock(), pytest.raises(StoreError, match=f"process {os.getpid()}"), store.lock():
            pass


@pytest.mark.parametrize("text", [None, "{", '{"digest": "other"}'])
def test_an_artifact_without_its_manifest_is_damaged_and_made_anew_it_is_whole(
    text: str | None, tmp_path: Path
) -> None:
    store = store_in(tmp_path)
    manifest = put(store).folder / "manifest.json"
    manifest.unlink()
    if text is not None:
        manifest.write_text(text)
    with pytest.raises(StoreError, match="is damaged") as raised:
        store.find(PROVENANCE.key)
    assert [row.where for row in raised.value.rows] == ["manifest.json"]
    put(store)
    assert store.find(PROVENANCE.key) is not None
    assert store.artifacts()[0].digest == put(store).digest
