"""The road: every stage in turn, walked as far as asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar, get_args

from tutelage.core.errors import GateShut, RecipeError
from tutelage.core.progress import Hearing, Progress, Silent
from tutelage.core.recipe import Recipe, load
from tutelage.core.world import World
from tutelage.curate.run import run as curate_door
from tutelage.evaluate.run import run as evaluate_door
from tutelage.gate.run import run as gate_door
from tutelage.release.admit import admit
from tutelage.release.run import run as release_door
from tutelage.score.roster import check_recipe
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.release import VERDICT
from tutelage.store.run import Run
from tutelage.train.run import run as train_door

Stage = Literal["curate", "train", "evaluate", "gate", "release"]
STAGES: tuple[Stage, ...] = get_args(Stage)
Section = TypeVar("Section")
Written = Recipe | Path | str  # a recipe, or where it lies


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
    recipe: Written,
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
    whole = read_in(recipe)
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


def curate(recipe: Written, *, force: bool = False) -> Artifact:
    """The dataset of a recipe."""
    return run(recipe, until="curate", force=force).artifacts["curate"]


def train(recipe: Written, *, force: bool = False) -> Artifact:
    """The adapter of a recipe, its dataset made first."""
    return run(recipe, until="train", force=force).artifacts["train"]


def evaluate(recipe: Written, *, force: bool = False) -> Artifact:
    """The report of a recipe, what it needs made first."""
    return run(recipe, until="evaluate", force=force).artifacts["evaluate"]


def gate(recipe: Written, *, force: bool = False) -> Artifact:
    """The verdict of a recipe, what it needs made first."""
    return run(recipe, until="gate", force=force).artifacts["gate"]


def release(recipe: Written, *, force: bool = False) -> Artifact:
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


def read_in(recipe: Written) -> Recipe:
    """The recipe itself, read where it is named by its path.

    Raises: RecipeError for a file that is none.
    """
    return recipe if isinstance(recipe, Recipe) else load(Path(recipe))


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
