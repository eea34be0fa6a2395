from __future__ import annotations

import pytest
import torch

from tutelage.engine import logprob
from tutelage.engine.gather import take
from tutelage.engine.logprob import logprobs, supervised_loss
from tutelage.engine.optimizer import orthogonalise


@pytest.mark.parametrize("rows_at_once", [3, 1000])
def test_loss_and_gradients_are_those_of_cross_entropy(
    rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logprob, "CHUNK_BYTES", rows_at_once * 4 * 50)
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
