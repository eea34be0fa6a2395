"""Every method with every optimizer: it learns, goes on from a checkpoint to the same bits, and
plain PEFT (or transformers, for full tuning) computes from its files what was trained."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from tests.engine.models import lessons, saved_model
from tutelage.core.recipe import Train, loads
from tutelage.engine.adapter import apply_adapter
from tutelage.engine.attention import layout
from tutelage.engine.backbone import Backbone, open_backbone
from tutelage.engine.logprob import head_logits
from tutelage.render.pack import pack
from tutelage.store.base import BaseFolder
from tutelage.store.run import Run
from tutelage.train import checkpoint
from tutelage.train.batch import Batch, batch_of
from tutelage.train.checkpoint import State
from tutelage.train.step import gradient, validation_loss
from tutelage.train.weights import Learner, open_learner, open_optimizers

METHODS: dict[str, dict[str, Any]] = {
    "full": {"method": "full"},
    "lora": {},
    "rslora": {"lora": {"rslora": True}},
    "dora": {"lora": {"dora": True}},
    "lora+": {"lora": {"plus": 4}},
    "pissa": {"lora": {"init": "pissa"}},
    "nf4": {"method": "qlora"},
    "head": {"lora": {"targets": ["lm_head", "q_proj", "v_proj"]}},
    "head of nf4, dora": {
        "method": "qlora",
        "lora": {"targets": ["lm_head", "o_proj"], "dora": True},
    },
    "int8": {"method": "qlora", "lora": {"quantisation": "int8"}},
}
ROWS = [{"step": 1.0}, {"step": 2.0}]
OPTIMIZERS = ("adamw", "adamw8bit", "muon")
STEPS = 4
IDS = torch.arange(9, 49)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A base, its run and what is taught on it."""

    base: BaseFolder
    run: Run
    batches: list[Batch]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("methods")
    base, _ = saved_model("llama", folder / "base")
    with Run.open(loads("name: a").at(folder)) as run:
        batches = [batch_of(row) for row in pack(lessons(), 400, run.generator("rows"))]
        yield Place(base=base, run=run, batches=batches)


def section(method: str, optimizer: str) -> Train:
    keys: dict[str, Any] = {"base": "base", "precision": "fp32", "optimizer": optimizer}
    keys |= METHODS[method]
    keys["lora"] = {"rank": 4, "alpha": 8} | keys.get("lora", {})
    return Train.model_validate(keys)


def taught(learner: Learner, optimizers: checkpoint.Optimizers, place: Place, steps: int) -> None:
    for _ in range(steps):
        gradient(learner.backbone, place.batches)
        for optimizer, _ in optimizers:
            optimizer.step()
            optimizer.zero_grad()


def logits(backbone: Backbone) -> Tensor:
    every, plan = torch.arange(len(IDS)), layout(np.full(len(IDS), len(IDS), dtype=np.int32))
    backbone.module.eval()
    with torch.no_grad():
        hidden = backbone.hidden(IDS, every, plan, every)
        return head_logits(hidden, backbone.head, None, backbone.beside_head(hidden))


def theirs(base: BaseFolder, adapter: Path) -> Tensor:
    """What transformers and plain PEFT compute from the saved files."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the libraries they import
        from peft import PeftModel

        if (adapter / "tuned.json").exists():
            config = base.folder / "config.json"
            (adapter / "config.json").write_bytes(config.read_bytes())
            model = AutoModelForCausalLM.from_pretrained(adapter, dtype=torch.float32)
        else:
            plain = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
            model = PeftModel.from_pretrained(plain, adapter)
        found: Tensor = model.eval()(IDS[None]).logits[0]
    return found


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("method", list(METHODS))
def test_a_method_learns_resumes_to_the_same_bits_and_plain_peft_computes_the_same(
    method: str, optimizer: str, place: Place, tmp_path: Path
) -> None:
    recipe = section(method, optimizer)
    learner = open_learner(recipe, place.base, place.run)
    optimizers = open_optimizers(recipe, learner, 0.003)
    before = validation_loss(learner.backbone, place.batches)
    taught(learner, optimizers, place, STEPS // 2)
    checkpoints = place.run.store.checkpoints(f"{method}-{optimizer}")
    checkpoint.saving(checkpoints, State(step=2, rows=ROWS), learner, optimizers)()
    taught(learner, optimizers, place, STEPS // 2)
    assert validation_loss(learner.backbone, place.batches) < before - 0.01

    again = open_learner(recipe, place.base, place.run)
    resumed = open_optimizers(recipe, again, 0.003)
    checkpoint.resume(checkpoints, again, resumed)
    taught(again, resumed, place, STEPS // 2)
    expected = learner.state()
    assert expected.keys() == again.state().keys()
    assert all(torch.equal(value, expected[name]) for name, value in again.state().items())

    learner.save(tmp_path)
    loaded = open_backbone(place.base, precision=torch.float32, frozen=True)
    apply_adapter(loaded, tmp_path)
    torch.testing.assert_close(logits(loaded), theirs(place.base, tmp_path), atol=1e-4, rtol=0)
    if learner.form is None and method != "full":  # full tuning is saved in bf16
        torch.testing.assert_close(logits(loaded), logits(learner.backbone), atol=1e-4, rtol=0)
