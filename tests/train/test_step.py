from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engine.models import lessons, saved_model
from tutelage.core.errors import TrainingError
from tutelage.engine.adapter import LoraShape, attach_lora
from tutelage.engine.attention import layout
from tutelage.engine.backbone import open_backbone
from tutelage.render.pack import pack
from tutelage.train.batch import batch_of, plan_steps
from tutelage.train.step import clip, gradient, validation_loss


def flow(name: str) -> np.random.Generator:
    return np.random.default_rng(sum(name.encode()))


def test_each_epoch_takes_every_row_once_in_an_order_of_its_own() -> None:
    steps = plan_steps([10] * 12, 30, 2, flow)
    assert len(steps) == 8
    first, second = steps[:4], steps[4:]
    assert sorted(row for step in first for row in step) == list(range(12))
    assert sorted(row for step in second for row in step) == list(range(12))
    assert first != second
    assert steps == plan_steps([10] * 12, 30, 2, flow)


def test_rows_longer_than_a_step_are_a_step_each() -> None:
    assert sorted(plan_steps([100, 100], 10, 1, flow)) == [(0,), (1,)]


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_any_split_into_rows_gives_the_same_loss_and_gradient(family: str, tmp_path: Path) -> None:
    base, _ = saved_model(family, tmp_path)
    found = []
    for capacity in (60, 120, 1000):
        backbone = open_backbone(base, precision=torch.float32)
        rows = pack(lessons(), capacity, np.random.default_rng(0), share=True)
        loss = gradient(backbone, [batch_of(row) for row in rows]).loss
        norm = clip(list(backbone.module.parameters()), 1e9)
        found.append((loss, norm, validation_loss(backbone, [batch_of(row) for row in rows])))
    for loss, norm, held in found:
        assert loss == pytest.approx(found[0][0], rel=1e-6)
        assert norm == pytest.approx(found[0][1], rel=1e-5)
        assert held == pytest.approx(loss, rel=1e-6)


def test_the_gradient_is_scaled_down_to_the_limit() -> None:
    weight = torch.nn.Parameter(torch.zeros(4))
    weight.grad = torch.full((4,), 3.0)
    assert clip([weight], 1.0) == pytest.approx(6.0)
    assert weight.grad.norm().item() == pytest.approx(1.0, rel=1e-4)


def test_nothing_is_dropped_out_of_the_validation_loss(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    found = []
    for dropout in (0.0, 0.9):
        backbone = open_backbone(base, precision=torch.float32, frozen=True)
        shape = LoraShape(rank=4, alpha=8.0, dropout=dropout, targets=None)
        adapters = attach_lora(backbone, shape, seed=1).values()
        for adapter in adapters:
            torch.nn.init.normal_(adapter.b, std=0.3, generator=torch.Generator().manual_seed(2))
            adapter.train()
        rows = pack(lessons(), 400, np.random.default_rng(0))
        found.append(validation_loss(backbone, [batch_of(row) for row in rows]))
        assert all(adapter.training for adapter in adapters)
    assert found[0] == found[1]


def test_padding_changes_nothing_but_the_size(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    (row,) = pack(lessons(), 1000, np.random.default_rng(0), share=True)
    batch = batch_of(row)
    assert len(batch.tokens) % 256 == 0
    assert len(batch.source) % 128 == 0
    assert float(batch.weight.sum()) == len(row.source)
    backbone = open_backbone(base, precision=torch.float32)
    padded = backbone.hidden(batch.tokens, batch.position, batch.layout, batch.source)
    plain = backbone.hidden(
        torch.from_numpy(row.tokens).long(),
        torch.from_numpy(row.position).long(),
        layout(row.end),
        torch.from_numpy(row.source).long(),
    )
    torch.testing.assert_close(padded[: len(plain)], plain, atol=1e-5, rtol=1e-5)


def test_more_steps_than_can_be_planned_are_an_error() -> None:
    with pytest.raises(TrainingError, match=r"`train.epochs: 10000000` comes to 20,000,000 steps"):
        plan_steps([100, 100], 10, 10_000_000, flow)
