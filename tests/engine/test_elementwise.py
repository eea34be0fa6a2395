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
    angle = torch.arange(T)[:, None, None] * drawn(W // 2).detach()
    both = torch.cat([angle, angle], -1)
    return both.cos(), both.sin()


COS, SIN = angles()
FORMS: dict[str, tuple[Callable[..., Tensor], list[tuple[int, ...]]]] = {
    "norm": (lambda x, w: rms_norm(x, w, 1e-5, 0.0, torch.float32), [(T, W), (W,)]),
    "norm by heads": (lambda x, w: rms_norm(x, w, 1e-5, 1.0, torch.float32), [(T, 3, W), (W,)]),
    "norm, its gradient turned": (
        lambda x, w: rms_norm(x, w, 1e-5, 0.0, torch.float32).transpose(0, 1),
        [(5, 3, W), (W,)],
    ),
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


def steps_of(out: Tensor) -> list[str]:
    """The steps of autograd that a tensor came by."""
    waiting, found = [out.grad_fn], []
    while waiting:
        if (one := waiting.pop()) is not None:
            found.append(type(one).__name__)
            waiting += [before for before, _ in one.next_functions]
    return found


@pytest.mark.parametrize("name", FORMS)
def test_a_step_of_autograd_gives_what_the_plain_form_gives(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, plain = both_ways(name, monkeypatch)
    assert len(steps_of(one[0])) < len(steps_of(plain[0]))
    for mine, expected in zip(one, plain, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-5, atol=1e-6)


def normed(x: Tensor, weight: Tensor, offset: float) -> Tensor:
    """The norm in the precision it is given, which `rms_norm` leaves for fp32."""
    return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * (weight + offset)


EXACT = {name: form for name, (form, _) in FORMS.items() if "norm" not in name} | {
    "norm": lambda x, w: normed(x, w, 0.0),
    "norm by heads": lambda x, w: normed(x, w, 1.0),
}


@pytest.mark.parametrize("name", EXACT)
def test_in_bf16_it_errs_no_more_than_the_plain_form(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = both_ways(name, monkeypatch, torch.bfloat16)
    shapes = FORMS[name][1]
    given = [drawn(*shape, kind=torch.bfloat16).detach().double() for shape in shapes]
    exact = [one.requires_grad_() for one in given]
    out = EXACT[name](*exact)
    draw = torch.Generator().manual_seed(1)
    slopes = torch.autograd.grad(out, exact, torch.randn(out.shape, generator=draw).double())
    for mine, plain, right in zip(*both, [out, *slopes], strict=True):
        size = float(right.detach().norm())
        off, others = (float((x.double() - right).detach().norm()) / size for x in (mine, plain))
        assert off <= 1.05 * others + 1e-6, (off, others)


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
