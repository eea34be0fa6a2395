from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tutelage.engine import elementwise
from tutelage.engine.elementwise import gated, rms_norm, turned

T, W = 7, 8


def drawn(*shape: int, kind: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator).to(kind).requires_grad_()


def angles() -> tuple[Tensor, Tensor]:
    angle = torch.arange(T)[:, None, None] * torch.rand(W // 2)
    both = torch.cat([angle, angle], -1)
    return both.cos(), both.sin()


COS, SIN = angles()
FORMS: dict[str, tuple[Callable[..., Tensor], list[tuple[int, ...]]]] = {
    "norm": (lambda x, w: rms_norm(x, w, 1e-5, 0.0, torch.float32), [(T, W), (W,)]),
    "norm by heads": (lambda x, w: rms_norm(x, w, 1e-5, 1.0, torch.float32), [(T, 3, W), (W,)]),
    "silu": (lambda x: gated(x, "silu"), [(T, 2 * W)]),
    "gelu": (lambda x: gated(x, "gelu_tanh"), [(T, 2 * W)]),
    "turned": (lambda x: turned(x, COS, SIN), [(T, 3, W)]),
}


def both_ways(
    name: str, monkeypatch: pytest.MonkeyPatch, kind: torch.dtype = torch.float32
) -> tuple[list[Tensor], list[Tensor]]:
    """Output and gradients as one step of autograd, and written out."""
    form, shapes = FORMS[name]
    found = []
    for written in (False, True):
        given = [drawn(*shape, kind=kind) for shape in shapes]
        with monkeypatch.context() as patched:
            if written:
                patched.setattr(elementwise, "_written_out", lambda *_: True)
            out = form(*given)
            draw = torch.Generator().manual_seed(1)
            gradients = torch.autograd.grad(out, given, torch.randn(out.shape, generator=draw))
        found.append([out, *gradients])
    return found[0], found[1]


@pytest.mark.parametrize("name", FORMS)
def test_a_step_of_autograd_gives_what_the_plain_form_gives(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, plain = both_ways(name, monkeypatch)
    assert one[0].grad_fn is not None
    assert "Backward" in type(one[0].grad_fn).__name__
    assert type(one[0].grad_fn).__name__ != type(plain[0].grad_fn).__name__
    for mine, expected in zip(one, plain, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["silu", "gelu", "turned"])
def test_in_bf16_it_errs_no_more_than_the_plain_form(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, shapes = FORMS[name]
    one, plain = both_ways(name, monkeypatch, torch.bfloat16)
    given = [drawn(*shape, kind=torch.bfloat16).detach().double() for shape in shapes]
    exact = form(*given)
    off = [float((out[0].detach().double() - exact).norm() / exact.norm()) for out in (one, plain)]
    assert off[0] <= 1.05 * off[1] + 1e-6


def test_what_takes_no_gradient_gets_none() -> None:
    x, weight = drawn(T, W), drawn(W).detach()
    out = rms_norm(x, weight, 1e-5, 0.0, torch.float32)
    (slope,) = torch.autograd.grad(out.sum(), [x])
    assert slope.shape == x.shape
    frozen = rms_norm(x.detach(), drawn(W), 1e-5, 0.0, torch.float32)
    frozen.sum().backward()


def test_less_is_kept_for_the_gradient_than_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    for written in (False, True):
        held: dict[int, int] = {}

        def note(x: Tensor, held: dict[int, int] = held) -> Tensor:
            held[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
            return x

        with monkeypatch.context() as patched:
            if written:
                patched.setattr(elementwise, "_written_out", lambda *_: True)
            with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
                x, weight = drawn(64, 64), drawn(64)
                normed = rms_norm(x, weight, 1e-5, 0.0, torch.bfloat16)
                alive = (normed, gated(drawn(64, 128), "silu"))
        kept.append(sum(held.values()))
        assert all(one.requires_grad for one in alive)
    inputs = 64 * 64 + 64 + 64 * 128
    assert kept[0] == 4 * (inputs + 64)  # and one over the root a row
    assert kept[1] > 1.6 * kept[0]
