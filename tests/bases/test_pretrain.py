from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from tutelage.bases import export, pretrain
from tutelage.bases.batches import PHASES
from tutelage.bases.pretrain import Pretraining
from tutelage.core.errors import BaseModelError
from tutelage.engine.architecture import Layer
from tutelage.engine.attention import layout

SMALL = replace(
    pretrain.SHAPE,
    hidden=32,
    heads=2,
    key_heads=2,
    head_width=16,
    inner=64,
    attention=(Layer(rope=replace(pretrain.ROPE, width=16)),) * 2,
)


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Shards of random tokens, a small shape and one thread, so that a step takes a moment."""
    for module in (pretrain, export):
        monkeypatch.setattr(module, "SHAPE", SMALL)
    monkeypatch.setattr(pretrain, "STEP_TOKENS", 512)
    draw = np.random.default_rng(0)
    folder = tmp_path / "tokens"
    (folder / "heldout").mkdir(parents=True)
    components = {}
    for name in sorted({name for phase in PHASES for name in phase.weights}):
        ids = draw.integers(1, 40, 3000)
        ids[::100] = 0
        ids.astype(np.uint16).tofile(folder / f"{name}.bin")
        components[name] = {
            "counts": {"tokens": 3000, "bytes": 6000, "documents": 30},
            "heldout": {"tokens": 600, "bytes": 1200},
            "sources": [
                {"path": f"{name}.txt", "sha256": "ab", "licence": "CC0-1.0", "attribution": "us"}
            ],
        }
    draw.integers(1, 40, 600).astype(np.uint16).tofile(folder / "heldout" / "books.bin")
    (folder / "mixture.json").write_text(json.dumps({"schema": 1, "components": components}))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield folder
    torch.set_num_threads(threads)


def opened(shards: Path, work: Path) -> Pretraining:
    work.mkdir(exist_ok=True)
    return Pretraining(shards, work, 512 * 10, compiled=False)


def test_pretraining_broken_off_goes_on_to_the_same_weights(shards: Path, tmp_path: Path) -> None:
    whole = opened(shards, tmp_path / "whole")
    for _ in range(4):
        whole.step()
    first = opened(shards, tmp_path / "broken")
    first.step()
    first.step()
    first.save()
    first.step()  # lost
    second = opened(shards, tmp_path / "broken")
    assert second.progress.step == 2
    second.step()
    second.step()
    ours, theirs = whole.model.export(), second.model.export()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_a_run_started_from_an_exported_base_counts_what_it_has_seen(
    shards: Path, tmp_path: Path
) -> None:
    first = opened(shards, tmp_path / "first")
    first.step()
    first.step()
    first.save()
    base = tmp_path / "base"
    base.mkdir()
    export.export(shards, tmp_path / "first", base)
    work = tmp_path / "second"
    work.mkdir()
    second = Pretraining(shards, work, 512 * 10, compiled=False, start=base)
    given = {name: value.bfloat16() for name, value in first.model.export().items()}
    for name, value in second.model.export().items():
        assert torch.equal(value.bfloat16(), given[name])
    assert (second.progress.step, second.progress.tokens) == (2, 1024)
    assert second.rate() < 0.1  # new optimizers warm up again
    second.step()
    second.save()
    assert [stage.steps for stage in opened(shards, work).stages()] == [2, 1]
    export.export(shards, work, base)
    assert [stage.tokens for stage in pretrain.read_stages(base)] == [1024, 512]


def test_what_was_never_trained_is_not_exported(shards: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with pytest.raises(BaseModelError, match="no pre-trained base to export"):
        export.export(shards, tmp_path / "work", tmp_path)
    assert not (tmp_path / "model.safetensors").exists()


def test_the_rate_climbs_stays_and_falls_to_zero(shards: Path, tmp_path: Path) -> None:
    training = opened(shards, tmp_path / "work")
    assert training.rate() < 0.1
    training.progress.step = 1000
    training.progress.tokens = 512 * 5
    assert training.rate() == 1.0
    training.progress.tokens = 512 * 10
    assert training.rate() == 0.0


def test_the_exported_base_answers_as_transformers_computes_it(
    shards: Path, tmp_path: Path
) -> None:
    training = opened(shards, tmp_path / "work")
    training.step()
    training.save()
    folder = tmp_path / "base"
    folder.mkdir()
    export.export(shards, tmp_path / "work", folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = torch.arange(5, 30)
    with torch.no_grad():
        theirs = model(ids[None]).logits[0]
        kept = {name: value.bfloat16() for name, value in training.model.export().items()}
        training.model.load(kept)
        training.model.precision = torch.float32
        plan = layout(np.full(25, 25, dtype=np.int32))
        hidden = training.model.hidden(ids, torch.arange(25), plan, torch.arange(25))
        ours = hidden @ training.model.head.T
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "| books.txt | `ab` |" in card
    assert "CC0-1.0" in card
