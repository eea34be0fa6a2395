from __future__ import annotations

from pathlib import Path

import pytest

from tutelage.core.artifact import Kind, Provenance
from tutelage.core.errors import StoreError
from tutelage.core.progress import StageState, Tick
from tutelage.core.recipe import load, loads
from tutelage.core.recipe.whole import Recipe
from tutelage.core.seeds import seed_of
from tutelage.store.run import Run, find_run, runs
from tutelage.store.store import Draft, Store


class Heard:
    """A listener that remembers the stages."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, str]] = []

    def stage(self, name: str, state: StageState, note: str) -> None:
        self.stages.append((name, state))

    def tick(self, tick: Tick) -> None:
        pass

    def warn(self, message: str) -> None:
        pass


def recipe_in(folder: Path, seed: int = 7) -> Recipe:
    return loads(f"name: tiny\nseed: {seed}\n").at(folder)


def provenance(kind: Kind = "dataset", **inputs: str) -> Provenance:
    return Provenance(kind=kind, inputs=inputs, section={}, stage_version=1)


def words(text: str = "x"):  # type: ignore[no-untyped-def]
    def build(draft: Draft) -> None:
        (draft.folder / "a").write_text(text)

    return build


def test_a_stage_is_made_once_and_then_taken_from_the_store(tmp_path: Path) -> None:
    heard = Heard()
    for _ in range(2):
        with Run.open(recipe_in(tmp_path), progress=heard) as run:
            made = run.make("curate", provenance(), words())
            assert run.artifact("curate") == made
            assert run.artifact("train") is None
    assert heard.stages == [("curate", "begun"), ("curate", "made"), ("curate", "reused")]


def test_force_makes_it_anew(tmp_path: Path) -> None:
    heard = Heard()
    for text in ("first", "second"):
        with Run.open(recipe_in(tmp_path), progress=heard, force=True) as run:
            made = run.make("curate", provenance(), words(text))
            assert made.file("a").read_text() == text
            assert run.artifact("curate") == made
    assert ("curate", "reused") not in heard.stages


def test_the_folder_holds_the_resolved_recipe_and_is_that_of_the_recipe(tmp_path: Path) -> None:
    with Run.open(recipe_in(tmp_path)) as run:
        first = run.folder
    with Run.open(recipe_in(tmp_path)) as again:
        assert again.folder == first
    with Run.open(recipe_in(tmp_path, seed=8)) as other:
        assert other.folder != first
    assert first.name == f"tiny-{recipe_in(tmp_path).digest()[:8]}"
    assert load(first / "recipe.resolved.yaml").digest() == recipe_in(tmp_path).digest()
    assert str(tmp_path) not in (first / "recipe.resolved.yaml").read_text()


def test_a_second_run_waits_its_turn(tmp_path: Path) -> None:
    with (
        Run.open(recipe_in(tmp_path)),
        pytest.raises(StoreError, match="another run uses"),
        Run.open(recipe_in(tmp_path)),
    ):
        pass


def test_seeds_are_those_of_the_recipes_root(tmp_path: Path) -> None:
    with Run.open(recipe_in(tmp_path)) as run:
        assert run.seeds("a", "b") == {"a": seed_of("a", 7), "b": seed_of("b", 7)}
        assert run.generator("a").random() == run.generator("a").random()


def test_runs_are_listed_latest_first_with_their_stages_in_order(tmp_path: Path) -> None:
    store = Store.beside(tmp_path)
    for seed in (1, 2, 1):
        with Run.open(recipe_in(tmp_path, seed)) as run:
            dataset = run.make("curate", provenance(), words())
            run.make("train", provenance("adapter", dataset=dataset.digest), words("w"))
    latest, before = runs(store)
    assert latest.name == f"tiny-{recipe_in(tmp_path, 1).digest()[:8]}"
    assert list(before.stages()) == ["curate", "train"]
    assert find_run(store) == latest
    assert find_run(store, before.name) == before
    assert find_run(store, before.name[:8]) == before
    assert find_run(store, "tiny") == latest
    with pytest.raises(StoreError, match="2 runs match"):
        find_run(store, "tin")
    with pytest.raises(StoreError, match="no runs match"):
        find_run(store, "huge")


def test_a_project_without_runs_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="`tutelage run` makes one"):
        find_run(Store.beside(tmp_path))


@pytest.mark.parametrize(("name", "key"), [("run.json", "opened"), ("artifact.json", "key")])
def test_a_runs_own_file_that_was_spoilt_is_named(name: str, key: str, tmp_path: Path) -> None:
    store = Store.beside(tmp_path)
    with Run.open(recipe_in(tmp_path)) as run:
        run.make("curate", provenance(), words())
    (path,) = run.folder.rglob(name)
    path.write_text("{}")
    with pytest.raises(StoreError, match=f"it has no `{key}`") as raised:
        find_run(store).stages()
    assert raised.value.where == str(path)


def test_a_folder_that_cannot_be_written_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / ".tutelage").write_text("in the way")
    with (
        pytest.raises(StoreError, match="results cannot be kept here: File exists"),
        Run.open(recipe_in(tmp_path)),
    ):
        pass
