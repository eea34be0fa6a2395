"""Rows of tokens that a base did not have: begun, learnt, saved as PEFT reads them, merged."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engine.models import saved_model
from tests.engine.test_adapter import moved, opened, shape
from tests.engine.test_head import logits
from tutelage.core.errors import BaseModelError
from tutelage.engine.adapted import merge
from tutelage.engine.adapter import LORA_CONFIG, apply_adapter, attach_lora, read_lora, save_lora
from tutelage.engine.attention import layout
from tutelage.engine.backbone import Backbone
from tutelage.engine.logprob import LossShape, supervised_loss
from tutelage.engine.newrows import NewRows, start_rows
from tutelage.store.base import BaseFolder

PIECES = {300: (5, 6, 8), 301: (7,)}
IDS = torch.tensor([9, 300, 10, 11, 301, 301, 12, 300, *range(13, 45)])
FAMILIES = ["llama", "qwen2", "gemma3", "gpt2"]


def grown(base: BaseFolder) -> Backbone:
    """The base with room for two more tokens."""
    backbone = opened(base)
    backbone.resize(302)
    start_rows(backbone.tables, PIECES)
    return backbone


def learner(base: BaseFolder) -> Backbone:
    backbone = grown(base)
    backbone.new_rows = NewRows(lambda: backbone.tables, 300, 2)
    return backbone


def on(backbone: Backbone) -> torch.Tensor:
    return logits(backbone, IDS)


@pytest.mark.parametrize("family", FAMILIES)
def test_new_rows_begin_as_the_mean_of_their_pieces(family: str, tmp_path: Path) -> None:
    base, _ = saved_model(family, tmp_path)
    before, backbone = opened(base), grown(base)
    for path, table in backbone.tables.items():
        old = before.tables[path]
        assert table.shape[0] == backbone.vocabulary == 302
        torch.testing.assert_close(table[:300], old, atol=0, rtol=0)
        torch.testing.assert_close(table[300], old[[5, 6, 8]].mean(0))
        torch.testing.assert_close(table[301], old[7])
    assert len(backbone.tables) == (1 if family in ("llama", "gpt2", "gemma3") else 2)
    assert not any(".new_rows." in name for name in learner(base).export())


@pytest.mark.parametrize("family", FAMILIES)
def test_learnt_rows_are_what_peft_computes_and_merge_into_the_tables(
    family: str, tmp_path: Path
) -> None:
    base, model = saved_model(family, tmp_path / "base")
    backbone, few = learner(base), shape(targets=("c_attn" if family == "gpt2" else "q_proj",))
    plain = on(backbone)
    torch.testing.assert_close(plain, on(grown(base)), atol=0, rtol=0)
    adapters = attach_lora(backbone, few, seed=3)
    moved(adapters)
    assert backbone.new_rows is not None
    draw = torch.Generator().manual_seed(9)
    for change in backbone.new_rows.changes:
        torch.nn.init.normal_(change, std=0.2, generator=draw)
    tuned = on(backbone)
    assert not torch.allclose(tuned, plain, atol=0.05)
    save_lora(tmp_path, adapters, few, base=base.name, backbone=backbone)

    again = grown(base)
    apply_adapter(again, tmp_path)
    torch.testing.assert_close(on(again), tuned, atol=1e-4, rtol=0)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the libraries it imports
        from peft import PeftModel

        model.resize_token_embeddings(302, mean_resizing=False)
        theirs = PeftModel.from_pretrained(model, tmp_path).eval()
        torch.testing.assert_close(theirs(IDS[None]).logits[0], tuned, atol=2e-4, rtol=0)

    merge(backbone.module)
    assert backbone.new_rows is None
    torch.testing.assert_close(on(backbone), tuned, atol=1e-3, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_only_new_rows_and_adapters_take_gradients_and_they_are_those_of_the_tables(
    family: str, tmp_path: Path
) -> None:
    base, _ = saved_model(family, tmp_path)
    backbone = learner(base)
    assert backbone.new_rows is not None
    trained = {name for name, one in backbone.module.named_parameters() if one.requires_grad}
    assert len(trained) == len(backbone.tables)
    found = torch.autograd.grad(taught(backbone), list(backbone.new_rows.changes))
    whole = grown(base)
    for table in whole.tables.values():
        table.requires_grad_()
    expected = torch.autograd.grad(taught(whole), list(whole.tables.values()))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs[300:], atol=1e-4, rtol=1e-3)


def taught(backbone: Backbone) -> torch.Tensor:
    """The loss of a row that holds new tokens, read and taught."""
    every, plan = torch.arange(len(IDS)), layout(np.full(len(IDS), len(IDS), dtype=np.int32))
    hidden = backbone.hidden(IDS, every, plan, every[:-1])
    loss = LossShape(cap=backbone.logit_cap)
    weight = torch.ones(len(IDS) - 1)
    beside = backbone.beside_head(hidden)
    return supervised_loss(hidden, backbone.head, IDS[1:], weight, loss, beside).total


def test_rows_of_an_earlier_training_are_taken_over(tmp_path: Path) -> None:
    base, _ = saved_model("qwen2", tmp_path / "base")
    backbone, again = learner(base), learner(base)
    adapters = attach_lora(backbone, shape(), seed=3)
    assert backbone.new_rows is not None
    assert again.new_rows is not None
    for change in backbone.new_rows.changes:
        torch.nn.init.normal_(change, std=0.2)
    save_lora(tmp_path, adapters, shape(), base=base.name, backbone=backbone)
    again.new_rows.start(read_lora(tmp_path).rows)
    torch.testing.assert_close(on(again), on(backbone), atol=1e-4, rtol=0)


def test_rows_a_base_has_no_room_for_are_refused(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    backbone = learner(base)
    adapters = attach_lora(backbone, shape(), seed=3)
    save_lora(tmp_path, adapters, shape(), base=base.name, backbone=backbone)
    with pytest.raises(BaseModelError, match=r"rows of tokens that `model\.embed_tokens` has not"):
        apply_adapter(opened(base), tmp_path)
    path = tmp_path / LORA_CONFIG
    path.write_text(path.read_text().replace("301", "301, 299"))
    with pytest.raises(BaseModelError, match="not those of 3 tokens"):
        apply_adapter(grown(base), tmp_path)


def test_tokens_named_without_a_table_are_the_embedding_s(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    backbone = learner(base)
    adapters = attach_lora(backbone, shape(), seed=3)
    assert backbone.new_rows is not None
    torch.nn.init.normal_(backbone.new_rows.changes[0], std=0.2)
    save_lora(tmp_path, adapters, shape(), base=base.name, backbone=backbone)
    path = tmp_path / LORA_CONFIG
    form = json.loads(path.read_text())
    assert form["trainable_token_indices"] == {"model.embed_tokens": [300, 301]}
    path.write_text(json.dumps(form | {"trainable_token_indices": [300, 301]}))
    again = grown(base)
    apply_adapter(again, tmp_path)
    torch.testing.assert_close(on(again), on(backbone), atol=1e-4, rtol=0)
