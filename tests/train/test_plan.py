from __future__ import annotations

from pathlib import Path

import pytest

from tests.journey.project import build
from tutelage.core.errors import TrainingError
from tutelage.core.recipe import EarlyStopping, Train, load
from tutelage.curate.run import run as curate
from tutelage.store.run import Run
from tutelage.train.budget import Memory, Price, check_fits, remedies, validations
from tutelage.train.defaults import WHY, choices
from tutelage.train.plan import measure
from tutelage.train.run import run as train

ROOT = Path(__file__).parents[2]


def test_a_plan_counts_what_training_then_does_and_keeps_nothing(tmp_path: Path) -> None:
    saving = "train.checkpoint_every_seconds=0.01"
    recipe = load(build(tmp_path) / "recipe.yaml", (saving,))
    assert recipe.curate is not None
    assert recipe.train is not None
    with Run.open(recipe) as run:
        dataset = curate(recipe.curate, {}, run)
        planned = measure(recipe.train, dataset, run)
        assert [artifact.kind for artifact in run.store.artifacts()] == ["dataset", "tokens"]
        adapter = train(recipe.train, {"dataset": dataset}, run)
    assert planned.steps == adapter.counts["steps"]
    assert planned.lessons == adapter.counts["lessons"]
    assert planned.packed_tokens == planned.tokens - adapter.counts["tokens_saved_by_folding"]
    assert planned.trained_parameters == adapter.counts["trained_parameters"]
    assert planned.seconds > planned.step_seconds > 0
    weights = (adapter.folder / "adapter" / "model.safetensors").stat().st_size
    assert planned.disk_bytes > 8 * weights
    assert planned.memory_bytes == planned.memory.total > planned.memory.counted
    trained = planned.trained_parameters
    assert planned.memory.weights == planned.memory.gradients == 4 * trained
    assert planned.memory.optimizer == 8 * trained
    assert planned.memory.checkpoint == 12 * trained
    assert planned.remedies == ()


def test_a_training_that_is_over_before_a_checkpoint_is_due_holds_no_copy(tmp_path: Path) -> None:
    recipe = load(build(tmp_path) / "recipe.yaml", ("train.seeds=3",))
    assert recipe.curate is not None
    assert recipe.train is not None
    with Run.open(recipe) as run:
        dataset = curate(recipe.curate, {}, run)
        planned = measure(recipe.train, dataset, run, loading=100.0)
    assert planned.memory.checkpoint == 0
    assert planned.memory_bytes == planned.memory.total
    assert planned.trainings == 3
    assert planned.seconds > 3 * planned.start_seconds > 300


def test_a_plan_counts_libraries_and_best_weights(tmp_path: Path) -> None:
    folder = build(tmp_path)
    made = []
    stopping = "{metric: tickets.valid, patience: 2, tasks: 4}"
    for keys in ((), (f"train.early_stopping={stopping}",)):
        recipe = load(folder / "recipe.yaml", keys)
        assert recipe.curate is not None
        assert recipe.train is not None
        with Run.open(recipe) as run:
            dataset = curate(recipe.curate, {}, run)
            made.append(measure(recipe.train, dataset, run, loading=1000.0))
    plain, judged = made
    assert 1000 < plain.start_seconds < 1100
    assert plain.seconds > plain.start_seconds
    states = 3  # those kept, and the one being written
    assert judged.disk_bytes - plain.disk_bytes == (states + 1) * 4 * plain.trained_parameters


def memory(counted: int, activations: int = 0) -> Memory:
    part = counted // 4
    return Memory(
        weights=part, gradients=part, optimizer=part, checkpoint=part, activations=activations
    )


def test_what_cannot_fit_is_told_before_a_step_is_tried() -> None:
    section = Train(base="b", method="full")
    check_fits(section, memory(8 << 30), 7 << 30, 100)
    check_fits(section, memory(8 << 30), None, 100)
    with pytest.raises(TrainingError, match=r"needs 6\.0 GiB beside .* and 5\.0 GiB are") as caught:
        check_fits(section, memory(8 << 30), 5 << 30, 100)
    assert caught.value.hint.startswith("try `train.method: lora`")


def test_the_key_that_spares_most_memory_comes_first() -> None:
    section = Train(base="b", method="full")
    assert remedies(section, memory(1000, activations=10**6), 512) == [
        "`train.rows_tokens: 512`",
        "`train.gradient_checkpointing: full`",
        "`train.method: lora`",
        "`train.optimizer: adamw8bit`",
    ]
    adapter = Train(base="b", rows_tokens=16)
    assert remedies(adapter, memory(1000), 2048)[0] == "`train.method: qlora`"
    least = Train(base="b", method="qlora", optimizer="adamw8bit", rows_tokens=16)
    assert remedies(least, memory(1000), 2048) == ["a smaller base"]


def test_cost_and_energy_follow_from_the_time() -> None:
    assert Price(per_hour=2.0, watts=500.0).of(7200) == {"cost": 4.0, "kilowatt_hours": 1.0}
    assert Price().of(7200) == {}


def test_held_out_rows_are_measured_every_so_often_and_after_the_last_step() -> None:
    assert [validations(steps, 4) for steps in (4, 5, 8)] == [1, 2, 2]


def test_a_default_is_explained_where_the_recipe_leaves_it_open() -> None:
    section = Train(base="b", epochs=1, early_stopping=EarlyStopping())
    found = {one.key: one for one in choices(section, rate=0.01, precision="bf16", row_tokens=9)}
    assert found["epochs"].why == ""
    assert "Alpaca" in found["warmup"].why
    assert (found["learning_rate"].value, found["keep"].value) == ("0.01", "best")


def test_every_default_stands_in_the_guide() -> None:
    guide = " ".join((ROOT / "docs" / "training.md").read_text(encoding="utf-8").split())
    for key, why in WHY.items():
        assert f"| `{key}` | {why} |" in guide
