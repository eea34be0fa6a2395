"""AdamW without the rest of torch's: the same bits, and its state where the weights are."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from tutelage.engine.optimizer import COMPILER_MARK, AdamW, compiler_spared

BETAS = (0.9, 0.95)


def weights() -> tuple[nn.Parameter, nn.Parameter]:
    draw = torch.Generator().manual_seed(1)
    return tuple(nn.Parameter(torch.randn(shape, generator=draw)) for shape in ((64, 8), (33,)))  # type: ignore[return-value]


def groups(pair: tuple[nn.Parameter, nn.Parameter]) -> list[dict[str, Any]]:
    matrix, other = pair
    return [{"params": [matrix], "weight_decay": 0.1}, {"params": [other], "weight_decay": 0.0}]


def step(optimizer: torch.optim.Optimizer, pair: tuple[nn.Parameter, ...], seed: int) -> None:
    """One step; every fifth leaves the second weight without a gradient."""
    draw = torch.Generator().manual_seed(seed)
    for at, weight in enumerate(pair):
        slope = weight.detach() + torch.randn(weight.shape, generator=draw)
        weight.grad = None if at and seed % 5 == 4 else slope
    for group in optimizer.param_groups:
        group["lr"] = 0.01 * (1 + seed % 3)
    optimizer.step()


def test_twenty_steps_are_those_of_torchs_own_bit_for_bit_its_state_read_on_the_way() -> None:
    ours, theirs = weights(), weights()
    own = AdamW(groups(ours), lr=0.01, betas=BETAS)
    other = torch.optim.AdamW(groups(theirs), lr=0.01, betas=BETAS, fused=True)
    for seed in range(20):
        if seed == 10:
            kept = copy.deepcopy(own.state_dict())
            own = AdamW(groups(ours), lr=0.01, betas=BETAS)
            own.load_state_dict(kept)
        step(own, ours, seed)
        step(other, theirs, seed)
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    for mine, right in zip(ours, theirs, strict=True):
        assert own.state[mine].keys() == other.state[right].keys()
        assert all(
            torch.equal(value, other.state[right][key]) for key, value in own.state[mine].items()
        )
    assert not torch.equal(ours[0], weights()[0])


@pytest.mark.parametrize("said", [True, False], ids=["now", "of a version that did not say so"])
def test_a_state_read_on_the_cpu_goes_to_where_the_weights_are(said: bool) -> None:
    pair = weights()
    own = AdamW(groups(pair), lr=0.01, betas=BETAS)
    step(own, pair, 0)
    kept = own.state_dict()
    if not said:
        for group in kept["param_groups"]:
            del group["fused"]
    elsewhere = tuple(nn.Parameter(one.detach().to("meta")) for one in pair)
    there = AdamW(groups(elsewhere), lr=0.01, betas=BETAS)  # type: ignore[arg-type]
    there.load_state_dict(kept)
    for weight in elsewhere:
        assert {key: x.device.type for key, x in there.state[weight].items()} == {
            "step": "meta",
            "exp_avg": "meta",
            "exp_avg_sq": "meta",
        }
    assert there.state_dict()["param_groups"][0].get("fused")


def test_the_compiler_is_spared_in_the_block_alone() -> None:
    def marked() -> list[str]:
        methods = vars(torch.optim.Optimizer).items()
        return [name for name, one in methods if COMPILER_MARK in vars(_plain(one))]

    before = marked()
    with compiler_spared():
        assert {"zero_grad", "state_dict", "load_state_dict", "add_param_group"} <= set(marked())
        with compiler_spared():
            pass
        assert "zero_grad" in marked()
    assert marked() == before


def _plain(method: object) -> Any:
    return getattr(method, "__wrapped__", step)
