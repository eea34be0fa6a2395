"""Finding what a user means: a run, an artifact, or a recipe's latest run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tutelage.cli.options import RECIPE, load_recipe
from tutelage.core.errors import StoreError
from tutelage.store.artifact import MANIFEST, Artifact
from tutelage.store.release import RELEASE, ReleaseFolder, read_release
from tutelage.store.run import PastRun, find_run, runs
from tutelage.store.store import Store, project_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a reference leads to: artifacts by stage or kind, and how it is called."""

    name: str
    store: Store
    artifacts: Mapping[str, Artifact]

    @property
    def last(self) -> Artifact:
        """The furthest artifact.

        Raises: StoreError where the run came to none.
        """
        if not self.artifacts:
            raise StoreError(
                f"run `{self.name}` came to no artifact", hint="`tutelage run` goes on with it"
            )
        return list(self.artifacts.values())[-1]


def find(reference: str | None, project: Path) -> Found:
    """The run or artifact a user means; the latest run where nothing is named.

    A reference is a name or the beginning of one, a digest, a recipe's path or the
    path of a folder in the store.

    Raises: StoreError where nothing or more than one thing matches.
    """
    if reference is not None and Path(reference).exists():
        return _at_path(Path(reference))
    store = Store.of(project)
    if reference is None:
        return _of_run(find_run(store))
    if any(run.name.startswith(reference) for run in runs(store)):
        return _of_run(find_run(store, reference))
    return _of_artifact(store, reference)


def find_past_run(reference: str, project: Path) -> PastRun:
    """The run a user means, as `find` reads a reference.

    Raises: StoreError where it is no run.
    """
    path = Path(reference)
    if path.exists():
        inside = project_of(path)
        if inside is not None:
            return find_run(Store.beside(inside), path.resolve().name)
        return _run_of_recipe(path)
    return find_run(Store.of(project), reference)


def find_release(reference: str | None, project: Path) -> ReleaseFolder:
    """The release a user means: a folder, a name or digest, a recipe, a run; the latest if none.

    Raises: StoreError where nothing matches, or what matches came to no release.
    """
    if reference is None:
        return read_release(_latest_release(project).folder)
    path = Path(reference)
    if (path / RELEASE).exists() or (path / MANIFEST).exists() or _bare(path):
        return read_release(path)
    found = find(reference, project)
    artifact = found.artifacts.get("release")
    if artifact is None:
        raise StoreError(
            f"`{found.name}` came to no release",
            hint="`tutelage release RECIPE` makes one where the gate passes",
        )
    return read_release(artifact.folder)


def _bare(path: Path) -> bool:
    """Whether it is a folder that is neither a project's nor inside its store."""
    return path.is_dir() and project_of(path) is None and not (path / RECIPE).exists()


def _latest_release(project: Path) -> Artifact:
    released = (run.stages().get("release") for run in runs(Store.of(project)))
    artifact = next((one for one in released if one is not None), None)
    if artifact is None:
        raise StoreError(
            "nothing was released here yet",
            where=str(project),
            hint="`tutelage release RECIPE` makes a release where the gate passes",
        )
    return artifact


def _at_path(path: Path) -> Found:
    inside = project_of(path)
    if inside is None:
        return _of_run(_run_of_recipe(path))
    store = Store.beside(inside)
    if path.resolve().parent.name == "runs":
        return _of_run(find_run(store, path.resolve().name))
    return _of_artifact(store, path.resolve().name)


def _run_of_recipe(path: Path) -> PastRun:
    """The run of a recipe as it stands, else the latest of its name."""
    recipe = load_recipe(str(path), ())
    store = Store.of(recipe.base_dir)
    exact = f"{recipe.name}-{recipe.digest()[:8]}"
    named = [run for run in runs(store) if run.name.rpartition("-")[0] == recipe.name]
    found = [run for run in named if run.name == exact] or named
    return found[0] if found else find_run(store, exact)


def _of_run(run: PastRun) -> Found:
    return Found(name=run.name, store=run.store, artifacts=run.stages())


def _of_artifact(store: Store, reference: str) -> Found:
    artifact = store.load(reference)
    return Found(name=artifact.name, store=store, artifacts={artifact.kind: artifact})
