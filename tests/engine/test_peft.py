"""Plain PEFT loads what was trained here, with equal logits."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.engine.models import saved_model
from tests.journey.project import build
from tests.journey.test_bases import GPT2, with_base
from tutelage import pipeline
from tutelage.core.recipe import load
from tutelage.engine.adapter import LoraShape, apply_adapter, attach_lora, save_lora
from tutelage.engine.attention import layout
from tutelage.engine.backbone import open_backbone
from tutelage.store.base import find_base

SHAPE = LoraShape(rank=4, alpha=8.0, dropout=0.0, targets=None)


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2"])
def test_plain_peft_loads_the_adapter_with_equal_logits(family: str, tmp_path: Path) -> None:
    base, model = saved_model(family, tmp_path / "base")
    backbone = open_backbone(base, precision=torch.float32)
    adapters = attach_lora(backbone, SHAPE, seed=3)
    draw = torch.Generator().manual_seed(4)
    for adapter in adapters.values():  # B starts at zero: as if it had been trained
        torch.nn.init.normal_(adapter.b, std=0.3, generator=draw)
    folder = tmp_path / "adapter"
    save_lora(folder, adapters, SHAPE, base=str(base.folder), backbone=backbone)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries it imports
        from peft import PeftModel

        theirs = PeftModel.from_pretrained(model, folder).eval()
    ids = torch.arange(9, 49)
    with torch.no_grad():
        expected = theirs(ids[None]).logits[0]
        fresh = open_backbone(base, precision=torch.float32, frozen=True)
        apply_adapter(fresh, folder)
        plan = layout(np.full(40, 40, dtype=np.int32))
        every = torch.arange(40)
        ours = fresh.hidden(ids, every, plan, every) @ fresh.head.T
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)
    with torch.no_grad(), theirs.disable_adapter():
        assert not torch.allclose(theirs(ids[None]).logits[0], expected, atol=1e-2)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_plain_peft_loads_what_a_training_wrote(family: str, tmp_path: Path) -> None:
    if family == "gpt2":
        with_base(tmp_path, GPT2)
    else:
        build(tmp_path)
    overrides = ["train.method=lora", "train.learning_rate=0.05"]
    made = pipeline.train(load(tmp_path / "recipe.yaml", overrides))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries they import
        from peft import PeftModel

        plain = AutoModelForCausalLM.from_pretrained(tmp_path / "base", dtype=torch.float32)
        theirs = PeftModel.from_pretrained(plain, made.folder / "adapter").eval()
    backbone = open_backbone(find_base("base", tmp_path), precision=torch.float32, frozen=True)
    apply_adapter(backbone, made.folder / "adapter")
    ids, every = torch.arange(9, 49), torch.arange(40)
    with torch.no_grad():
        ours = backbone.hidden(ids, every, layout(np.full(40, 40, dtype=np.int32)), every)
        expected = theirs(ids[None]).logits[0]
        torch.testing.assert_close(ours @ backbone.head.T, expected, atol=1e-4, rtol=1e-4)
        with theirs.disable_adapter():
            assert not torch.allclose(theirs(ids[None]).logits[0], expected, atol=1e-3)
