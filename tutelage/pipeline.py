"""The road: the one file that knows all stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, get_args

from tutelage.core.errors import GateShut, RecipeError, TutelageError
from tutelage.core.progress import Hearing, Progress, Silent
from tutelage.core.recipe import Monitor, Recipe, load
from tutelage.core.world import World
from tutelage.curate.run import run as curate_door
from tutelage.evaluate.run import run as evaluate_door
from tutelage.gate.run import run as gate_door
from tutelage.release.admit import admit
from tutelage.release.run import RECIPE
from tutelage.release.run import run as release_door
from tutelage.release.verify import admitted
from tutelage.score.roster import check_recipe
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.release import VERDICT, ReleaseFolder, events_path, read_release
from tutelage.store.run import Run
from tutelage.store.store import Store
from tutelage.train.run import plan as plan_door
from tutelage.train.run import run as train_door

if TYPE_CHECKING:
    from tutelage.improve.run import Improved
    from tutelage.monitor.run import Report as Watched
    from tutelage.serve.run import Place
    from tutelage.store.journal import Journal
    from tutelage.train.plan import Plan

Stage = Literal["curate", "train", "evaluate", "gate", "release"]
STAGES: tuple[Stage, ...] = get_args(Stage)
Section = TypeVar("Section")
Released: TypeAlias = "ReleaseFolder | Artifact | Path | str"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a walk came to."""

    recipe: Recipe
    folder: Path  # of the run
    artifacts: Mapping[Stage, Artifact]
    reused: tuple[Stage, ...]  # taken from the store, unchanged


def road(run: Run, force: Mapping[Stage, bool]) -> Iterator[tuple[Stage, Artifact]]:
    """Every stage in turn; one begins only when it is asked for."""
    recipe = run.recipe

    def at(stage: Stage) -> Run:
        return replace(run, force=force[stage])

    dataset = curate_door(needed(recipe.curate, "curate"), {}, at("curate"))
    yield "curate", dataset

    measured, section = {"dataset": dataset}, needed(recipe.train, "train")
    for number in range(section.seeds):  # the first is the one that is judged and released
        training = replace(at("train"), training=number + 1)
        measured[training.named("adapter")] = train_door(section, {"dataset": dataset}, training)
    yield "train", measured["adapter"]

    report = evaluate_door(needed(recipe.evaluate, "evaluate"), measured, at("evaluate"))
    yield "evaluate", report

    judged = {**measured, "report": report}
    verdict = gate_door(needed(recipe.gate, "gate"), judged, at("gate"))
    yield "gate", verdict

    proven = {**judged, "verdict": verdict}
    yield "release", release_door(needed(recipe.release, "release"), proven, at("release"))


def run(
    recipe: Recipe | Path | str,
    *,
    until: Stage | None = None,
    progress: Progress | None = None,
    force: bool = False,
) -> Outcome:
    """Walks the road as far as `until`, or as far as the recipe has sections.

    Unchanged stages are taken from the store. `force` makes the last stage anew, or
    every one where `until` is left out. Where the recipe's end is meant and the gate is
    shut, the walk ends with the verdict, which says why.

    Raises: RecipeError where a section is missing on the way; whatever a stage raises.
    """
    whole = recipe if isinstance(recipe, Recipe) else load(Path(recipe))
    last = until or last_stage(whole)
    for stage in STAGES[: STAGES.index(last) + 1]:
        needed(getattr(whole, stage), stage)
    check_recipe(whole)  # a name nothing goes by is told now, not after the training
    anew = {stage: force and until in (None, stage) for stage in STAGES}
    hearing = Hearing(to=progress or Silent())
    artifacts: dict[Stage, Artifact] = {}
    with Run.open(whole, progress=hearing) as opened:
        for stage, artifact in road(opened, anew):
            artifacts[stage] = artifact
            if stage == last or (stage == "gate" and until is None and stays_shut(whole, artifact)):
                break
    reused = tuple(stage for stage in artifacts if stage in hearing.reused)
    return Outcome(recipe=whole, folder=opened.folder, artifacts=artifacts, reused=reused)


def follow(recipe: Recipe, world: World) -> None:
    """What every process but rank 0 does while rank 0 walks the road: it trains along.

    Raises: RecipeError without a section `train`; PeerLost where rank 0 is gone; whatever
        training raises.
    """
    from tutelage.train.follow import follow as train_along

    train_along(needed(recipe.train, "train"), Run.beside(recipe), world)


def curate(recipe: Recipe | Path | str, *, force: bool = False) -> Artifact:
    """The dataset of a recipe."""
    return run(recipe, until="curate", force=force).artifacts["curate"]


def train(recipe: Recipe | Path | str, *, force: bool = False) -> Artifact:
    """The adapter of a recipe, its dataset made first."""
    return run(recipe, until="train", force=force).artifacts["train"]


def evaluate(recipe: Recipe | Path | str, *, force: bool = False) -> Artifact:
    """The report of a recipe, what it needs made first."""
    return run(recipe, until="evaluate", force=force).artifacts["evaluate"]


def gate(recipe: Recipe | Path | str, *, force: bool = False) -> Artifact:
    """The verdict of a recipe, what it needs made first."""
    return run(recipe, until="gate", force=force).artifacts["gate"]


def release(recipe: Recipe | Path | str, *, force: bool = False) -> Artifact:
    """The release of a recipe, what it needs made first.

    Raises: GateShut where a rule does not hold and no waiver covers it.
    """
    return run(recipe, until="release", force=force).artifacts["release"]


def stays_shut(recipe: Recipe, verdict: Artifact) -> bool:
    """Whether a verdict lets nothing be released."""
    waivers = recipe.release.waivers if recipe.release else ()
    try:
        admit(read_json(verdict.file(VERDICT)), waivers, datetime.now(UTC).date())
    except GateShut:
        return True
    return False


@contextmanager
def serving(released: Released, *, place: Place | None = None) -> Iterator[str]:
    """The address of a server that answers with a release for the block, on a free port of
    this machine unless `place` says otherwise.

    Raises: StoreError for damaged files; GateShut where a waiver it needs has ended;
        TutelageError where it cannot be opened, with what differs.
    """
    from tutelage.serve.run import Place
    from tutelage.serve.run import serving as serve

    folder = opened_folder(released)
    folder.verify()
    admitted(folder, datetime.now(UTC).date())
    with serve(folder, place or Place(port=0)) as address:
        yield address


def monitor(
    released: Released,
    project: Path | None = None,
    *,
    section: Monitor | None = None,
    events: Path | None = None,
    until: datetime | None = None,
) -> Watched:
    """What a release served in the window before `until` (now), against what was promised.

    Events are those of `project`, the one it lies in if left out; `section` takes the place of
    the release's. Where it lies in a project's store and something was served, that store keeps
    the report.

    Raises: RecipeError for rules about what is not measured; StoreError without a journal,
        or where an event was changed or taken out.
    """
    from tutelage.monitor.page import html
    from tutelage.monitor.run import keep
    from tutelage.monitor.run import run as monitor_door

    folder = opened_folder(released)
    with proven(folder, events, project) as journal:
        asked = section or folder.monitor
        report = monitor_door(asked, folder, journal, until or datetime.now(UTC))
    if folder.project is None or not report.requests:
        return report
    return replace(report, kept=keep(report, html(report), Store.beside(folder.project)))


def improve(
    released: Released, project: Path | None = None, *, events: Path | None = None
) -> Improved:
    """Proposes rows from the feedback on a release, and writes those a person approved.

    Events are those of `project`, the one it lies in if left out, and paths of the section
    relative to it. Where the release has no section, that of the project's recipe counts.

    Raises: RecipeError without a section `improve`; RowError for lines that cannot be used;
        StoreError without a journal, or where an event was changed or taken out.
    """
    from tutelage.improve.run import run as improve_door

    folder = opened_folder(released)
    home = project or folder.project or Path()
    recipe = recipe_of(home)
    section = folder.improve or (recipe.improve if recipe else None)
    if section is None:
        raise RecipeError(
            "neither the release nor the recipe has a section `improve`",
            where=folder.label,
            hint="add `improve: {licence: ...}` to the recipe: the licence the rows will have",
        )
    with proven(folder, events, project) as journal:
        return improve_door(section, folder, journal, home)


def recipe_of(project: Path) -> Recipe | None:
    """A project's recipe as it stands; None where there is none that can be read."""
    try:
        return load(project / RECIPE) if (project / RECIPE).exists() else None
    except TutelageError:
        return None  # nothing rests on it; `tutelage check` tells what is wrong with it


def opened_folder(released: Released) -> ReleaseFolder:
    """The release of an artifact or a folder."""
    if isinstance(released, ReleaseFolder):
        return released
    return read_release(released.folder if isinstance(released, Artifact) else Path(released))


@contextmanager
def proven(release: ReleaseFolder, events: Path | None, project: Path | None) -> Iterator[Journal]:
    """The journal a release's server writes, or the one that is named, its chain unbroken.

    Raises: StoreError where there is none, or an event was changed or taken out.
    """
    from tutelage.store.journal import Journal

    with Journal.open(events or events_path(release, project), read_only=True) as journal:
        journal.verify()
        yield journal


def plan(recipe: Recipe | Path | str, *, progress: Progress | None = None) -> tuple[Plan, Artifact]:
    """What the training of a recipe will take, and the dataset it was measured on.

    Raises: RecipeError where a section is missing; whatever curating or opening the base raises.
    """
    whole = recipe if isinstance(recipe, Recipe) else load(Path(recipe))
    section = needed(whole.train, "train")
    with Run.open(whole, progress=progress) as opened:
        dataset = curate_door(needed(whole.curate, "curate"), {}, opened)
        return plan_door(section, dataset, opened), dataset


def last_stage(recipe: Recipe) -> Stage:
    """The furthest stage the recipe has a section for.

    Raises: RecipeError where it has none.
    """
    present = [stage for stage in STAGES if getattr(recipe, stage) is not None]
    if not present:
        raise RecipeError(
            f"recipe `{recipe.name}` has no stage", expected=f"a section: {', '.join(STAGES)}"
        )
    return present[-1]


def needed(section: Section | None, stage: Stage) -> Section:
    """The section, where the recipe has it.

    Raises: RecipeError where it has not.
    """
    if section is None:
        raise RecipeError(
            f"the recipe has no section `{stage}`, which this needs",
            hint=f"add `{stage}:` to it; `tutelage schema` prints its keys",
        )
    return section
