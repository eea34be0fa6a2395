"""Everything a training and an engine compute, on a device that refuses tensors left behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.engine.elsewhere import HERE, THERE, elsewhere
from tests.engine.models import lessons, saved_model
from tutelage.engine.adamw8bit import AdamW8bit
from tutelage.engine.adapted import quantise
from tutelage.engine.adapter import LoraShape, attach_lora
from tutelage.engine.attention import layout
from tutelage.engine.attention_cuda import block_mask
from tutelage.engine.backbone import Backbone, open_backbone, settle
from tutelage.engine.check import check_folding
from tutelage.engine.local import LocalEngine
from tutelage.engine.optimizer import Muon, sort_weights
from tutelage.engine.protocol import Decoding, Generation, Identity, Prompt
from tutelage.render.pack import PackedRow, pack
from tutelage.train.batch import batch_of
from tutelage.train.checkpoint import copied
from tutelage.train.step import gradient, validation_loss

FAMILIES = ("llama3", "gemma2", "phi3", "qwen3")
LORA = LoraShape(rank=4, alpha=8.0, dropout=0.0, targets=None)
DORA = LoraShape(rank=4, alpha=8.0, dropout=0.1, targets=None, dora=True, init="pissa")
GREEDY = Decoding(max_new_tokens=6, temperature=0.0, top_p=1.0, seed=0, stop=(2,))


@pytest.fixture(autouse=True)
def other_device() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]), elsewhere():
        yield


def rows() -> list[PackedRow]:
    return list(pack(lessons(), 400, np.random.default_rng(0), share=True))


def opened(folder: Path, device: torch.device, family: str, method: str) -> Backbone:
    """A random model with what the method puts on it, on its device."""
    base, _ = saved_model(family, folder)
    model = open_backbone(base, precision=torch.float32, frozen=method != "full")
    if method == "qlora":
        quantise(model.module, model.sites(), "nf4")
    if method != "full":
        adapters = attach_lora(model, DORA if method == "dora" else LORA, seed=1)
        for adapter in adapters.values():
            adapter.train()
    settle(model, device)
    return model


def trainable(model: Backbone) -> list[torch.nn.Parameter]:
    return [weight for weight in model.module.parameters() if weight.requires_grad]


def told(x: Tensor | None) -> Tensor:
    assert x is not None
    return x.detach().cpu()


def trained(model: Backbone, device: torch.device) -> list[float]:
    """Losses of steps by two optimizers, and of a validation after them."""
    optimizers = [
        Muon(sort_weights(model.module, model.embeddings).matrices, lr=0.01),
        AdamW8bit([{"params": trainable(model)}], lr=0.001, betas=(0.9, 0.95)),
    ]
    losses = []
    for _ in range(2):
        batches = [batch_of(row, device) for row in rows()]
        torch.manual_seed(0)  # of noise and dropout
        losses.append(gradient(model, batches, neftune=5.0).loss)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.load_state_dict(copied(optimizer.state_dict()))
            optimizer.zero_grad()
    assert check_folding(model, rows()[0], device=device) < 1e-4
    held = validation_loss(model, [batch_of(row, device) for row in rows()])
    return [*losses, held]


def test_a_tensor_left_here_is_refused_there() -> None:
    there = torch.ones(3, 3, device=THERE)
    assert float((there @ there).sum()) == 27.0
    with pytest.raises(RuntimeError, match="two devices"):
        there @ torch.ones(3)
    with pytest.raises(RuntimeError, match="two devices"):
        there[torch.tensor([0, 1])] + torch.ones(3)
    with pytest.raises((RuntimeError, TypeError)):
        there.numpy()
    assert there.cpu().numpy().sum() == 9.0


@pytest.mark.parametrize("method", ["full", "lora", "qlora", "dora"])
@pytest.mark.parametrize("family", FAMILIES)
def test_steps_there_are_steps_here(family: str, method: str, tmp_path: Path) -> None:
    mine, theirs = (trained(opened(tmp_path, x, family, method), x) for x in (HERE, THERE))
    assert mine == theirs
    assert mine[1] < mine[0]


def test_gradients_there_are_those_here(tmp_path: Path) -> None:
    here, there = (opened(tmp_path, x, "gemma3", "full") for x in (HERE, THERE))
    for model, device in ((here, HERE), (there, THERE)):
        gradient(model, [batch_of(row, device) for row in rows()])
    for one, other in zip(trainable(here), trainable(there), strict=True):
        assert torch.equal(told(one.grad), told(other.grad))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_answers_there_are_answers_here(family: str, temperature: float, tmp_path: Path) -> None:
    decoding = replace(GREEDY, temperature=temperature)
    prompts = [Prompt(ids=one.prompt, messages=()) for one in lessons(5)]
    answers: list[list[Generation]] = []
    scored = []
    for device in (HERE, THERE):
        model = opened(tmp_path, device, family, "lora")
        engine = LocalEngine(model, Identity(base="", adapter="", tokenizer=""), str)
        answers.append(list(engine.generate(prompts, decoding)))
        streamed = [one for chunk in engine.stream(prompts[0], decoding) for one in chunk.ids]
        assert streamed == [*answers[-1][0].ids]
        scored.append(engine.score(rows()[0]))
    mine, theirs = answers
    assert [one.ids for one in mine] == [one.ids for one in theirs]
    assert [one.logprobs for one in mine] == [one.logprobs for one in theirs]
    assert any(one.ids for one in mine)
    assert np.array_equal(*scored)


@pytest.mark.parametrize("window", [None, 7])
def test_a_mask_of_blocks_is_there_and_hides_what_it_hides_here(window: int | None) -> None:
    plan = layout(rows()[0].end).within(window)
    places = torch.arange(len(plan.end))
    found = []
    for device in (HERE, THERE):
        mask = block_mask(plan, device)
        query, key = places.to(device)[:, None], places.to(device)[None, :]
        found.append(mask.mask_mod(query, query, query, key).cpu())
        assert {x.device for x in mask.as_tuple() if isinstance(x, Tensor)} == {device}
    assert torch.equal(*found)
    assert found[0].any()
    assert not found[0].all()
