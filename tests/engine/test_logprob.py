from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tutelage.engine import logprob
from tutelage.engine.gather import take
from tutelage.engine.logprob import LossShape, Shard, logprobs, supervised_loss
from tutelage.engine.optimizer import orthogonalise


@pytest.mark.parametrize("rows_at_once", [3, 1000])
def test_loss_and_gradients_are_those_of_cross_entropy(
    rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logprob, "CHUNK_BYTES", {"cpu": rows_at_once * 4 * 50})
    draw = torch.Generator().manual_seed(0)
    hidden = torch.randn(17, 8, generator=draw, requires_grad=True)
    head = torch.randn(50, 8, generator=draw, requires_grad=True)
    target = torch.randint(0, 50, (17,), generator=draw)
    weight = torch.rand(17, generator=draw)
    loss = supervised_loss(hidden, head, target, weight)
    (3 * loss.total).backward()
    found = hidden.grad, head.grad
    plain = torch.nn.functional.cross_entropy(hidden @ head.T, target, reduction="none")
    expected = torch.autograd.grad(3 * (plain * weight).sum(), (hidden, head))
    torch.testing.assert_close(loss.total, (plain * weight).sum())
    torch.testing.assert_close(loss.logprob, -plain)
    torch.testing.assert_close(logprobs(hidden, head, target), -plain.detach())
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_very_unlikely_target_has_a_finite_log_probability() -> None:
    hidden, head = torch.tensor([[400.0]]), torch.tensor([[1.0], [-1.0]])
    loss = supervised_loss(hidden, head, torch.tensor([1]), torch.ones(1))
    assert loss.logprob.item() == pytest.approx(-800.0)


def test_rows_taken_twice_add_their_gradients() -> None:
    x = torch.ones(4, 2, requires_grad=True)
    take(x, torch.tensor([1, 1, 3])).sum().backward()
    assert x.grad is not None
    assert x.grad[:, 0].tolist() == [0.0, 2.0, 0.0, 1.0]


@pytest.mark.parametrize("shape", [(2, 32, 32), (3, 48, 16), (1, 16, 48)])
def test_an_orthogonalised_matrix_has_singular_values_near_one(shape: tuple[int, int, int]) -> None:
    stack = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(stack, steps=10).float())
    assert values.min() > 0.5
    assert values.max() < 1.4


SHAPES = {
    "plain": LossShape(),
    "smoothed": LossShape(label_smoothing=0.1),
    "z-loss": LossShape(z_loss=0.01),
    "capped": LossShape(cap=3.0),
    "all": LossShape(label_smoothing=0.2, z_loss=0.05, cap=2.0),
}


def drawn(kind: torch.dtype, bias: bool = False) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(0)
    return {
        "hidden": torch.randn(17, 8, generator=draw, dtype=kind, requires_grad=True),
        "head": torch.randn(50, 8, generator=draw, dtype=kind, requires_grad=True),
        "target": torch.randint(0, 50, (17,), generator=draw),
        "weight": torch.rand(17, generator=draw, dtype=kind),
        "bias": torch.randn(50, generator=draw, dtype=kind, requires_grad=bias),
    }


def written_out(given: dict[str, Tensor], shape: LossShape) -> Tensor:
    """The loss as torch's own functions compute it."""
    logits = given["hidden"] @ given["head"].T
    if shape.bias is not None:
        logits = logits + shape.bias
    if shape.cap is not None:
        logits = shape.cap * torch.tanh(logits / shape.cap)
    each = torch.nn.functional.cross_entropy(
        logits, given["target"], reduction="none", label_smoothing=shape.label_smoothing
    )
    each = each + shape.z_loss * torch.logsumexp(logits, -1).square()
    return (each * given["weight"]).sum()


@pytest.mark.parametrize("name", list(SHAPES))
@pytest.mark.parametrize("biased", [False, True], ids=["", "biased"])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_every_loss_has_the_value_and_the_gradients_of_torchs_own(
    kind: torch.dtype, biased: bool, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logprob, "CHUNK_BYTES", {"cpu": 5 * 4 * 50})
    given = drawn(kind, bias=biased)
    shape = replace(SHAPES[name], bias=given["bias"] if biased else None)
    leaves = [given["hidden"], given["head"], *([given["bias"]] if biased else [])]
    loss = supervised_loss(*(given[k] for k in ("hidden", "head", "target", "weight")), shape)
    found = torch.autograd.grad(3 * loss.total, leaves)
    expected = torch.autograd.grad(3 * written_out(given, shape), leaves)
    near: dict[str, float] = {"atol": 1e-12, "rtol": 1e-10} if kind == torch.float64 else {}
    torch.testing.assert_close(loss.total, written_out(given, shape), **near)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, **near)
    plain = replace(shape, label_smoothing=0.0, z_loss=0.0)
    scored = logprobs(given["hidden"], given["head"], given["target"], plain)
    torch.testing.assert_close(loss.logprob, scored)


def test_a_frozen_head_gets_no_gradient() -> None:
    given = drawn(torch.float32)
    head = given["head"].detach()
    loss = supervised_loss(given["hidden"], head, given["target"], given["weight"])
    loss.total.backward()
    assert head.grad is None
    assert given["hidden"].grad is not None


class Together:
    """Threads that each hold a shard and meet at every reduction."""

    def __init__(self, count: int) -> None:
        self.parts: dict[int, Tensor] = {}
        self.meeting = threading.Barrier(count, timeout=60)

    def reducer(self, own: int) -> Callable[[Tensor, Any], Tensor]:
        def reduce(part: Tensor, how: str) -> Tensor:
            self.parts[own] = part
            self.meeting.wait()
            stack = torch.stack([self.parts[one] for one in sorted(self.parts)])
            self.meeting.wait()
            return stack.amax(0) if how == "max" else stack.sum(0)

        return reduce


@pytest.mark.parametrize("name", list(SHAPES))
def test_a_head_in_shards_gives_the_whole_ones_loss_and_gradients(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logprob, "_rows", lambda _, few: 5)  # shards must go at one pace
    given = drawn(torch.float32)
    names = ("hidden", "head", "target", "weight")
    whole = supervised_loss(*(given[k] for k in names), SHAPES[name])
    expected = torch.autograd.grad(whole.total, [given["hidden"], given["head"]])
    firsts, found = {0: 20, 20: 47, 47: 50}, {}
    together = Together(len(firsts))

    def compute(first: int, end: int) -> None:
        shard = Shard(first=first, vocabulary=50, reduce=together.reducer(first))
        hidden = given["hidden"].detach().requires_grad_()
        rows = given["head"].detach()[first:end].requires_grad_()
        shape = replace(SHAPES[name], shard=shard)
        loss = supervised_loss(hidden, rows, given["target"], given["weight"], shape)
        loss.total.backward()
        found[first] = (loss, hidden.grad, rows.grad)

    threads = [threading.Thread(target=compute, args=pair) for pair in firsts.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for loss, slope, _ in found.values():
        torch.testing.assert_close(loss.total, whole.total)
        torch.testing.assert_close(loss.logprob, whole.logprob)
        torch.testing.assert_close(slope, expected[0])
    torch.testing.assert_close(torch.cat([found[one][2] for one in firsts]), expected[1])


def test_the_log_probability_of_what_is_next_to_impossible_is_exact() -> None:
    hidden = torch.tensor([[60.0, 0.0], [3.0, 0.0]])
    head = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    target, weight = torch.tensor([1, 1]), torch.ones(2)
    told = supervised_loss(hidden, head, target, weight).logprob
    expected = torch.log_softmax(hidden.double() @ head.double().T, -1)[:, 1]
    assert told.tolist() == pytest.approx(expected.tolist(), abs=1e-5)
    assert told[0] == pytest.approx(-120)
