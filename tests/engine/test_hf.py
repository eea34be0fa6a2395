"""Models of transformers that the flat backbone does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from tests.engine.models import DENSE, branching
from tests.engine.reference import alone, packed, row_loss
from tutelage.core.errors import BaseModelError
from tutelage.engine.backbone import Backbone, open_backbone
from tutelage.engine.local import LocalEngine
from tutelage.engine.protocol import Decoding, Identity, Prompt
from tutelage.render.pack import pack
from tutelage.store.base import BaseFolder, find_base

LFM2: dict[str, Any] = {
    "layer_types": ["conv", "full_attention", "conv"],
    "block_ff_dim": 96,
    "max_position_embeddings": 256,
}


def saved(family: str, folder: Path, **keys: Any) -> tuple[BaseFolder, Any]:
    """A small random model of a family in `folder`, and the same as transformers holds it."""
    config = AutoConfig.for_model(family, **DENSE, pad_token_id=0, **keys)
    model = AutoModelForCausalLM.from_config(config).eval()
    draw = torch.Generator().manual_seed(5)
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.08, generator=draw)
    model.save_pretrained(folder)
    return find_base(str(folder), folder), model


def greedy(backbone: Backbone, prompts: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    engine = LocalEngine(backbone, Identity(base="", adapter="", tokenizer=""), str)
    asked = [Prompt(ids=ids) for ids in prompts]
    return [answer.ids for answer in engine.generate(asked, Decoding(max_new_tokens=8))]


@pytest.mark.parametrize(
    ("family", "keys"),
    [
        ("granite", {"logits_scaling": 4.0, "embedding_multiplier": 2.0}),
        ("cohere", {"logit_scale": 0.25}),
        ("olmo2", {"sliding_window": None}),
        ("starcoder2", {"sliding_window": 20}),
    ],
)
def test_folded_rows_give_the_loss_and_gradient_of_one_lesson_at_a_time(
    family: str, keys: dict[str, Any], tmp_path: Path
) -> None:
    base, model = saved(family, tmp_path, **keys)
    backbone = open_backbone(base, precision=torch.float32)
    assert (backbone.kind, backbone.alone) == ("hf", None)
    found, expected = packed(backbone, branching(0), share=True), alone(model, branching(0))
    assert abs(found.loss - expected.loss) <= 2e-6
    assert found.distance(expected) <= 2e-6


def test_a_model_with_attention_of_its_own_is_found_out_and_takes_one_lesson_a_row(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base, model = saved("falcon", tmp_path)
    del base.config["model_type"]  # the name is not what it is found by
    caplog.set_level("INFO", logger="tutelage")
    backbone = open_backbone(base, precision=torch.float32)
    assert backbone.alone == "attention of its own (falcon)"
    assert "rows hold one lesson each: the base has attention of its own" in caplog.text
    expected = alone(model, branching(0))
    lessons = branching(0)
    rows = [pack([lesson], 300, np.random.default_rng(0))[0] for lesson in lessons]
    total = sum(float(row_loss(backbone, row).detach()) for row in rows)
    assert total / sum(len(x.completion) for x in lessons) == pytest.approx(expected.loss, abs=2e-6)


def test_recurrent_layers_take_one_lesson_a_row_and_refuse_more_by_name(tmp_path: Path) -> None:
    base, model = saved("lfm2", tmp_path, **{k: v for k, v in LFM2.items() if k not in DENSE})
    backbone = open_backbone(base, precision=torch.float32)
    lesson = branching(0)[0]
    (row,) = pack([lesson], 300, np.random.default_rng(0))
    found = float(row_loss(backbone, row).detach()) / len(lesson.completion)
    assert found == pytest.approx(alone(model, [lesson]).loss, abs=2e-6)
    (both,) = pack(branching(0)[:2], 300, np.random.default_rng(0))
    with pytest.raises(BaseModelError, match="conv layers") as caught:
        row_loss(backbone, both)
    assert caught.value.where == "train.base"


def test_sequences_with_a_state_are_generated_as_transformers_does(tmp_path: Path) -> None:
    base, model = saved("lfm2", tmp_path, **{k: v for k, v in LFM2.items() if k not in DENSE})
    prompts: list[tuple[int, ...]] = [(5, 6, 7, 8), (9, 10), (11, 12, 13, 14, 15, 16)]
    expected = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=8,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
        expected.append(tuple(out[0, len(prompt) :].tolist()))
    assert greedy(open_backbone(base, precision=torch.float32), prompts) == expected


def test_a_head_that_does_more_is_refused(tmp_path: Path) -> None:
    base, _ = saved("phi", tmp_path)
    with pytest.raises(BaseModelError, match="a bias on its head"):
        open_backbone(base, precision=torch.float32)
    base, _ = saved("granite", tmp_path / "other", logits_scaling=4.0)
    base.config["logits_scaling"] = 5.0  # not what the model does
    with pytest.raises(BaseModelError, match="a head that does more"):
        open_backbone(base, precision=torch.float32)


def test_a_state_that_is_in_no_cache_is_refused(tmp_path: Path) -> None:
    base, _ = saved("llama", tmp_path)
    base.config["model_type"] = "rwkv"
    with pytest.raises(BaseModelError, match="a state that is in no cache"):
        open_backbone(base, precision=torch.float32)
