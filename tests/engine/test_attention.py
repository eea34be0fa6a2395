"""Every backend of attention against the rule written out densely."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from tutelage.engine import attention_chains
from tutelage.engine.attention import Layout, attend, backend_of, layout
from tutelage.engine.attention_cuda import BLOCK, block_mask, blocks, documents, flex, varlen
from tutelage.render.pack import visible

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


def forest(size: int, fork: float, seed: int) -> NDArray[np.int32]:
    """One past the last index of each subtree, of a random forest in depth-first order."""
    draw = np.random.default_rng(seed)
    end = np.zeros(size, dtype=np.int32)
    path: list[int] = []
    for index in range(size):
        if path and draw.random() < fork:
            for _ in range(draw.integers(1, len(path) + 1)):
                end[path.pop()] = index
        path.append(index)
    end[path] = size
    return end


def branches(trunk: int, *lengths: int) -> NDArray[np.int32]:
    """A trunk with branches of these lengths."""
    stops = trunk + np.cumsum(lengths)
    ends = [np.full(length, stop) for length, stop in zip(lengths, stops, strict=True)]
    return np.concatenate([np.full(trunk, stops[-1]), *ends]).astype(np.int32)


def seen(plan: Layout) -> NDArray[np.bool_]:
    """Who sees whom, written out."""
    rule = visible(plan.end.astype(np.int32))
    if plan.window is None:
        return rule
    return rule & (plan.depth[:, None] - plan.depth[None, :] < plan.window)


def dense(q: Tensor, k: Tensor, v: Tensor, plan: Layout, cap: float | None) -> Tensor:
    k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], 1) for x in (k, v))
    score = torch.einsum("qhd,khd->hqk", q, k) * q.shape[-1] ** -0.5
    score = score if cap is None else torch.tanh(score / cap) * cap
    score = score.masked_fill(~torch.from_numpy(seen(plan)), float("-inf"))
    return torch.einsum("hqk,khd->qhd", torch.softmax(score, -1), v)


def heads(size: int, seed: int = 0) -> tuple[Tensor, ...]:
    draw = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(size, count, 16, generator=draw) for count in (4, 2, 2))


ROWS = {
    "one token": branches(0, 1),
    "forest": forest(300, 0.1, 1),
    "deep forest": forest(400, 0.01, 2),
    "long branches": branches(700, 650, 33, 60),
    "one long": branches(0, 700),
    "alike": np.repeat(np.arange(1, 5) * 64, 64).astype(np.int32),
}


@pytest.mark.parametrize("cap", [None, 3.0])
@pytest.mark.parametrize("window", [None, 1, 7, 200])
@pytest.mark.parametrize("row", list(ROWS))
def test_chains_gather_what_the_rule_lets_them_see(
    row: str, window: int | None, cap: float | None
) -> None:
    plan = layout(ROWS[row]).within(window)
    inputs = [x.requires_grad_() for x in heads(len(plan.end))]
    toward = heads(len(plan.end), 1)[0]
    found, expected = attend(*inputs, plan, cap=cap), dense(*inputs, plan, cap)
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-5)
    for one, other in zip(
        torch.autograd.grad(found, inputs, toward),
        torch.autograd.grad(expected, inputs, toward),
        strict=True,
    ):
        assert (one - other).norm() <= 1e-6 * other.norm() + 1e-7


@pytest.mark.parametrize("cap", [None, 3.0])
@pytest.mark.parametrize("window", [None, 7])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("row", list(ROWS))
def test_without_a_gradient_the_same_is_gathered(
    row: str, precision: torch.dtype, window: int | None, cap: float | None
) -> None:
    plan = layout(ROWS[row], forward_only=True).within(window)
    inputs = [x.to(precision) for x in heads(len(plan.end))]
    with torch.no_grad():
        found = attend(*inputs, plan, cap=cap).float()
    exact = dense(*(x.float() for x in inputs), plan, cap)
    tolerance = 2e-6 if precision == torch.float32 else 2e-2
    torch.testing.assert_close(found, exact, atol=tolerance, rtol=tolerance)


def test_without_a_gradient_what_is_shared_is_read_once() -> None:
    plan = layout(branches(600, 12, 9, 12, 40), forward_only=True)
    with torch.no_grad():
        attend(*heads(len(plan.end)), plan)
    runs = plan.made["shared"]
    assert runs.below == ((0, 600, 673),)  # all branches at once, to keys that are not copied
    assert runs.sizes == ((3, 16), (1, 40), (1, 640))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_long_chains_run_flash_without_a_mask_and_give_the_same(precision: torch.dtype) -> None:
    plan, long = layout(branches(800, 900, 33)), attention_chains.LONG[precision]
    groups = attention_chains.chains(plan, CPU, long).buckets
    assert [(group.before, group.own) for group in groups] == [(0, 896), (800, 1024), (896, 64)]
    assert [group.unmasked for group in groups] == [True, True, False]
    inputs = [x.to(precision) for x in heads(len(plan.end))]
    exact = dense(*(x.float() for x in inputs), plan, None)
    tolerance = 2e-6 if precision == torch.float32 else 2e-2
    found = attend(*inputs, plan).float()
    torch.testing.assert_close(found, exact, atol=tolerance, rtol=tolerance)


def test_a_window_is_cut_in_pieces_that_hold_no_more_than_it_reaches() -> None:
    plan = layout(branches(2000, 300)).within(64)
    rows = attention_chains.chains(plan, CPU, long=None)
    assert max(bucket.own for bucket in rows.buckets) <= 128
    assert max(bucket.before for bucket in rows.buckets) <= 64


def test_a_window_no_path_is_longer_than_changes_nothing() -> None:
    plan = layout(branches(20, 30, 40))
    assert plan.longest == 60
    assert plan.within(60) is plan
    assert plan.within(None) is plan
    assert plan.within(59).window == 59


@pytest.mark.parametrize("cap", [None, 3.0])
@pytest.mark.parametrize("window", [None, 7, 200])
@pytest.mark.parametrize("row", list(ROWS))
def test_flex_attention_gathers_what_the_rule_lets_it_see(
    row: str, window: int | None, cap: float | None
) -> None:
    plan = layout(ROWS[row]).within(window)
    inputs = heads(len(plan.end))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would rather be compiled
        found = flex(*inputs, plan, (0.25, cap), kernel=flex_attention)
    torch.testing.assert_close(found, dense(*inputs, plan, cap), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("window", [None, 7, 200, 600])
@pytest.mark.parametrize("row", list(ROWS))
def test_blocks_skip_nothing_that_is_seen_and_are_whole_only_where_all_is(
    row: str, window: int | None
) -> None:
    plan = layout(ROWS[row]).within(window)
    part, whole = blocks(plan)
    rule = seen(plan)
    for query in range(len(part)):
        for key in range(len(part)):
            cell = rule[query * BLOCK : (query + 1) * BLOCK, key * BLOCK : (key + 1) * BLOCK]
            assert part[query, key] or whole[query, key] or not cell.any()
            assert cell.all() or not whole[query, key]
    listed = block_mask(plan, CPU).to_dense()[0, 0].bool().numpy()
    assert np.array_equal(listed[: len(part), : len(part)], part | whole)


def test_blocks_out_of_sight_are_skipped() -> None:
    part, whole = blocks(layout(branches(1280, 1280, 1280)))
    assert whole.sum() > 5 * part.sum()
    assert not (part | whole)[20:, 10:20].any()  # the second branch on the first
    part, whole = blocks(layout(branches(0, 2560)).within(128))
    assert (part | whole).sum() == 20 + 19


def test_a_row_without_forks_is_documents_and_another_is_not() -> None:
    end = np.repeat([3, 10, 11], [3, 7, 1]).astype(np.int32)
    found = documents(layout(end), CPU)
    assert found is not None
    assert found.starts.tolist() == [0, 3, 10, 11]
    assert found.starts.dtype == torch.int32
    assert (found.longest, found.window) == (7, (-1, 0))
    windowed = documents(layout(end).within(4), CPU)
    assert windowed is not None
    assert windowed.window == (3, 0)  # three before a token, and itself
    assert documents(layout(branches(3, 2, 2)), CPU) is None
    assert documents(layout(forest(50, 0.3, 3)), CPU) is None


def test_each_device_has_its_backend() -> None:
    assert "flash for chains above 768 tokens" in backend_of(CPU, torch.bfloat16)
    if torch.cuda.is_available():
        return
    # torch cannot make kernels for what is not there
    assert backend_of(CUDA, torch.bfloat16) == "batched products, for want of Triton"


@pytest.mark.parametrize("row", ["alike", "one long", "one token"])
def test_varlen_takes_documents_on_a_cuda_device_as_it_is_given_them(row: str) -> None:
    plan = layout(ROWS[row])
    with FakeTensorMode():
        q, k, v = (x.to(CUDA, torch.bfloat16) for x in heads(len(plan.end)))
        whole = documents(plan, CUDA)
        assert whole is not None
        out = varlen(q, k, v, whole, 0.25)
    assert out.shape == q.shape
    assert out.device == q.device


@pytest.mark.parametrize("window", [None, 7, 200])
@pytest.mark.parametrize("row", list(ROWS))
def test_a_mask_lists_blocks_by_key_as_torch_would(row: str, window: int | None) -> None:
    mask = block_mask(layout(ROWS[row]).within(window), CPU)
    again = BlockMask.from_kv_blocks(
        mask.kv_num_blocks, mask.kv_indices, mask.full_kv_num_blocks, mask.full_kv_indices
    )
    for name in ("q_num_blocks", "q_indices", "full_q_num_blocks", "full_q_indices"):
        assert torch.equal(getattr(mask, name), getattr(again, name))
