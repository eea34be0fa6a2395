from __future__ import annotations

from pathlib import Path

import pytest

from tests.journey.project import build
from tutelage.core.recipe import load
from tutelage.curate.run import run as curate
from tutelage.store.artifact import Artifact
from tutelage.store.run import Run
from tutelage.train.run import run as train

MUON = ("train.optimizer=muon", "train.learning_rate=0.01")
LORA = ("train.method=lora", "train.lora.rank=4")
CHANGES = {
    "method": ((), ("train.method=lora",)),
    "optimizer": ((), ("train.optimizer=muon",)),
    "learning_rate": ((), ("train.learning_rate=0.0001",)),
    "epochs": ((), ("train.epochs=1",)),
    "rows_tokens": ((), ("train.rows_tokens=512",)),
    "step_tokens": ((), ("train.step_tokens=2048",)),
    "warmup": ((), ("train.warmup=0.9",)),
    "schedule": ((), ("train.schedule=constant",)),
    "schedule with decay": (("train.schedule=wsd",), ("train.decay=0.9",)),
    "weight_decay": ((), ("train.weight_decay=0.5",)),
    "weight_decay with muon": (MUON, ("train.weight_decay=0.5",)),
    "clip_norm": ((), ("train.clip_norm=0.0001",)),
    "precision": ((), ("train.precision=bf16",)),
    "init": ((), ("train.init=random",)),
    "seed": ((), ("seed=8",)),
    "lora.rank": (LORA, ("train.lora.rank=2",)),
    "lora.alpha": (LORA, ("train.lora.alpha=4",)),
    "lora.dropout": (LORA, ("train.lora.dropout=0.5",)),
    "lora.targets": (LORA, ("train.lora.targets=[q_proj]",)),
}


def trained(folder: Path, *overrides: str, force: bool = False) -> Artifact:
    recipe = load(folder / "recipe.yaml", overrides)
    assert recipe.curate is not None
    assert recipe.train is not None
    with Run.open(recipe, force=force) as run:
        dataset = curate(recipe.curate, {}, run)
        return train(recipe.train, {"dataset": dataset}, run)


def weights(adapter: Artifact) -> dict[str, str]:
    files = adapter.manifest.files
    return {path: record.sha256 for path, record in files.items() if path.endswith("safetensors")}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("keys"))


@pytest.mark.parametrize("key", list(CHANGES))
def test_a_key_changes_the_adapter(project: Path, key: str) -> None:
    before, change = CHANGES[key]
    first, second = trained(project, *before), trained(project, *before, *change)
    assert weights(first) != weights(second)


def test_training_twice_gives_the_same_files(project: Path) -> None:
    first = trained(project)
    assert trained(project, force=True).manifest.files == first.manifest.files


@pytest.mark.parametrize(
    "key",
    [
        "train.threads=2",
        "train.checkpoint_every_seconds=0.001",
        "train.checkpoints_kept=1",
        "train.gradient_checkpointing=full",
    ],
)
def test_what_only_changes_the_speed_trains_nothing_anew(project: Path, key: str) -> None:
    assert trained(project, key).digest == trained(project).digest


def test_validation_is_measured_as_often_as_asked(project: Path) -> None:
    adapter = trained(project, "train.validate_every_steps=1")
    rows = (adapter.folder / "metrics.jsonl").read_text().splitlines()
    assert all("validation_loss" in row for row in rows)
    rarely = trained(project).folder / "metrics.jsonl"
    assert 0 < rarely.read_text().count("validation_loss") < len(rows)


def test_training_lowers_the_loss(project: Path) -> None:
    lines = (trained(project, "train.epochs=6").folder / "metrics.jsonl").read_text().splitlines()
    first, last = (float(line.split('"loss": ')[1].split(",")[0]) for line in (lines[0], lines[-1]))
    assert last < 0.8 * first


def test_the_journal_keeps_speed_beside_the_artifact(project: Path) -> None:
    adapter = trained(project, force=True)
    assert "tokens_per_second" not in (adapter.folder / "metrics.jsonl").read_text()
    journals = list((project / ".tutelage" / "runs").glob("*/train/journal.jsonl"))
    assert any("tokens_per_second" in journal.read_text() for journal in journals)
