from __future__ import annotations

from pathlib import Path

from tests.journey.project import build
from tutelage.core.recipe import load
from tutelage.curate.run import run as curate
from tutelage.store.run import Run
from tutelage.train.plan import plan
from tutelage.train.run import run as train


def test_a_plan_counts_what_training_then_does_and_keeps_nothing(tmp_path: Path) -> None:
    recipe = load(build(tmp_path) / "recipe.yaml")
    assert recipe.curate is not None
    assert recipe.train is not None
    with Run.open(recipe) as run:
        dataset = curate(recipe.curate, {}, run)
        planned = plan(recipe.train, dataset, run)
        assert [artifact.kind for artifact in run.store.artifacts()] == ["dataset", "tokens"]
        adapter = train(recipe.train, {"dataset": dataset}, run)
    assert planned.steps == adapter.counts["steps"]
    assert planned.lessons == adapter.counts["lessons"]
    assert planned.packed_tokens == planned.tokens - adapter.counts["tokens_saved_by_folding"]
    assert planned.trained_parameters == adapter.counts["trained_parameters"]
    assert planned.seconds > planned.step_seconds > 0
    weights = (adapter.folder / "adapter" / "model.safetensors").stat().st_size
    assert planned.disk_bytes > 8 * weights
    assert planned.memory_bytes > 0
