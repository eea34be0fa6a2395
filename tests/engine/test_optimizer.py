from __future__ import annotations

import copy

import pytest
import torch

from tutelage.engine.adamw8bit import BLOCK, SMALL, AdamW8bit, Coded, dynamic_code


@pytest.mark.parametrize("signed", [True, False])
def test_a_code_has_256_values_from_zero_to_one(signed: bool) -> None:
    code = dynamic_code(signed=signed)
    assert len(code.unique()) == 256
    assert code.max() == 1
    assert (code == 0).sum() == 1
    assert (code < 0).any() == signed


@pytest.mark.parametrize(("signed", "far"), [(True, 0.03), (False, 0.015)])
def test_values_come_back_near_to_what_they_were(signed: bool, far: float) -> None:
    coded, draw = Coded(signed=signed), torch.Generator().manual_seed(0)
    values = torch.randn(1000, generator=draw)
    values = values if signed else values.abs()
    codes = torch.zeros(1000, dtype=torch.uint8)
    scales = torch.zeros(-(-1000 // BLOCK))
    coded.write(values, codes, scales)
    back = coded.read(codes, scales)
    assert (back - values).abs().max() < far * values.abs().max()
    coded.write(torch.zeros(1000), codes, scales)
    assert coded.read(codes, scales).abs().max() == 0


def stepped(optimizer: torch.optim.Optimizer, weight: torch.nn.Parameter, seeds: range) -> None:
    for seed in seeds:
        draw = torch.Generator().manual_seed(seed)
        weight.grad = weight.detach() + 0.1 * torch.randn(weight.shape, generator=draw)
        optimizer.step()


def fresh(count: int) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.randn(count, 8, generator=torch.Generator().manual_seed(1)))


def test_eight_bits_move_the_weights_as_thirty_two_do() -> None:
    eight, whole = fresh(1000), fresh(1000)
    group = {"weight_decay": 0.1}
    few = AdamW8bit([{"params": [eight], **group}], lr=0.01, betas=(0.9, 0.95))
    many = torch.optim.AdamW([{"params": [whole], **group}], lr=0.01, betas=(0.9, 0.95))
    stepped(few, eight, range(20))
    stepped(many, whole, range(20))
    moved = (whole - fresh(1000)).norm()
    assert (eight - whole).norm() < 0.03 * moved


def test_the_moments_are_kept_in_bytes_and_those_of_small_weights_whole() -> None:
    large, small = fresh(SMALL), fresh(4)
    optimizer = AdamW8bit([{"params": [large, small]}], lr=0.01, betas=(0.9, 0.95))
    for weight in (large, small):
        stepped(optimizer, weight, range(1))
    state = optimizer.state[large]
    assert {state["mean"].dtype, state["square"].dtype} == {torch.uint8}
    held = sum(x.numel() * x.element_size() for x in state.values())
    assert held < 2.05 * large.numel()
    assert optimizer.state[small]["mean"].dtype == torch.float32


def test_what_was_kept_goes_on_to_the_same_bits() -> None:
    first = fresh(1000)
    optimizer = AdamW8bit([{"params": [first]}], lr=0.01, betas=(0.9, 0.95))
    stepped(optimizer, first, range(3))
    kept, second = copy.deepcopy(optimizer.state_dict()), torch.nn.Parameter(first.detach().clone())
    stepped(optimizer, first, range(3, 6))
    again = AdamW8bit([{"params": [second]}], lr=0.01, betas=(0.9, 0.95))
    again.load_state_dict(kept)
    stepped(again, second, range(3, 6))
    assert torch.equal(first, second)
