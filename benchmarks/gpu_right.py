"""Whether a device computes what the processor does, and how fast its parts are."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from gpu_model import Setting, lessons, open_model, packed
from methods import ROOT
from torch import Tensor
from torch.nn.attention.flex_attention import flex_attention

from tutelage.engine import attention_chains
from tutelage.engine.attention import Layout, layout
from tutelage.engine.attention_cuda import compiled_flex, documents, flex, varlen
from tutelage.engine.backbone import open_backbone, settle
from tutelage.engine.local import LocalEngine
from tutelage.engine.protocol import Decoding, Identity, Prompt
from tutelage.render.pack import visible
from tutelage.store.base import find_base
from tutelage.train.batch import batch_of
from tutelage.train.device import repeatable
from tutelage.train.step import gradient, validation_loss

Lines = Iterator[dict[str, Any]]
HEADS, SMOKE_HEADS = (32, 8, 128), (4, 2, 16)  # of the 8B shape: of queries and keys, and width


def attention(setting: Setting) -> Lines:
    """Each backend on rows of 4096 tokens, as documents and as a tree."""
    tokens = setting.tokens(4096)
    part = tokens // 8
    kinds = {
        "documents": packed(lessons(8, part, 1000), tokens),
        "one document": packed(lessons(1, tokens, 1000), tokens),
        "tree": packed(lessons(6, 3 * part, 1000, shared=2 * part), 2 * tokens, share=True),
    }
    for name, (row, *_) in kinds.items():
        for window in (None, part // 2):
            plan = layout(row.end).within(window)
            for backend, compute in backends(setting, plan).items():
                line = {"row": name, "tokens": len(row), "window": window, "backend": backend}
                yield line | tried(partial(one_backend, setting, plan, compute))


def backends(
    setting: Setting, plan: Layout
) -> dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]]:
    scale = heads_of(setting)[2] ** -0.5

    def by_varlen(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        whole = documents(plan, q.device)
        if whole is None:
            raise ValueError("the row forks")
        return varlen(q, k, v, whole, scale)

    def by_flex(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        kernel = compiled_flex() if q.device.type == "cuda" else flex_attention
        return flex(q, k, v, plan, (scale, None), kernel=kernel)

    return {
        "varlen": by_varlen,
        "flex": by_flex,
        "chains": lambda q, k, v: attention_chains.attend(q, k, v, plan, scale, None),
        "sdpa with a mask": lambda q, k, v: dense(q, k, v, plan),
    }


def dense(q: Tensor, k: Tensor, v: Tensor, plan: Layout) -> Tensor:
    """Torch's own attention under a mask written out."""
    if "mask" not in plan.made:
        rule = visible(plan.end.astype("int32"))
        if plan.window is not None:
            rule &= plan.depth[:, None] - plan.depth[None, :] < plan.window
        plan.made["mask"] = torch.from_numpy(rule).to(q.device)
    found = torch.nn.functional.scaled_dot_product_attention(
        *(x.transpose(0, 1)[None] for x in (q, k, v)),
        attn_mask=plan.made["mask"],
        enable_gqa=True,
    )
    return found[0].transpose(0, 1)


def one_backend(
    setting: Setting, plan: Layout, compute: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> dict[str, Any]:
    """Milliseconds forward and backward, and the distance from fp32, output and gradients."""
    draw = torch.Generator().manual_seed(0)
    queries, keys, width = heads_of(setting)
    *heads, toward = (
        torch.randn(len(plan.end), count, width, generator=draw).to(setting.device)
        for count in (queries, keys, keys, queries)
    )

    def run(kind: torch.dtype, work: Callable[[Tensor, Tensor, Tensor], Tensor]) -> list[Tensor]:
        q, k, v = (x.to(kind, copy=True).requires_grad_() for x in heads)
        out = work(q, k, v)
        return [out.detach(), *torch.autograd.grad(out, (q, k, v), toward.to(kind))]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # flex attention would rather be compiled
        found = run(torch.bfloat16, compute)
        exact = run(torch.float32, lambda q, k, v: dense(q, k, v, plan))
        taken = [
            setting.seconds(lambda: run(torch.bfloat16, compute)) for _ in range(setting.rounds + 1)
        ][1:]  # the first is warm-up
    apart = [
        float((one.float() - own).norm() / own.norm())
        for one, own in zip(found, exact, strict=True)
    ]
    names = ("off", "off_dq", "off_dk", "off_dv")
    return {
        "value": round(1e3 * median(taken), 3),
        "low": round(1e3 * min(taken), 3),
        "high": round(1e3 * max(taken), 3),
        "unit": "ms",
        "n": len(taken),
        **{name: round(value, 6) for name, value in zip(names, apart, strict=True)},
    }


def heads_of(setting: Setting) -> tuple[int, int, int]:
    return SMOKE_HEADS if setting.smoke else HEADS


def equality(setting: Setting) -> Lines:
    """The loss of the shipped base, here and there."""
    base = find_base("tutelage/tiny", Path(ROOT))
    vocabulary = base.config["vocab_size"]
    some = lessons(12, setting.tokens(1024), vocabulary, shared=setting.tokens(256))
    rows = packed(some, setting.tokens(4096), share=True)

    def loss(device: torch.device, precision: torch.dtype) -> float:
        model = open_backbone(base, precision=precision, frozen=True)
        settle(model, device)
        return validation_loss(model, [batch_of(row, device) for row in rows])

    mine = loss(torch.device("cpu"), torch.float32)
    for precision in (torch.float32, torch.bfloat16):
        name = str(precision).removeprefix("torch.")

        def compared(precision: torch.dtype = precision) -> dict[str, Any]:
            there = loss(setting.device, precision)
            return {"value": abs(there - mine), "unit": "nats a token", "loss": there}

        yield {"precision": name, "processor": mine} | tried(compared)


def repeat(setting: Setting) -> Lines:
    """Two gradients of the same rows, with sums in one order and in any."""
    model = open_model(setting, setting.config("135m"), "full")
    tokens = setting.tokens(4096)
    kinds = {
        "documents": packed(lessons(4, tokens // 4, 300), tokens),
        "tree": packed(lessons(6, tokens // 4, 300, shared=tokens // 8), tokens, share=True),
    }
    weights = list(model.module.parameters())

    def step(rows: list[Any]) -> list[Tensor]:
        model.module.zero_grad()
        gradient(model, [batch_of(row, setting.device) for row in rows])
        return [weight.grad.clone() for weight in weights if weight.grad is not None]

    for name, rows in kinds.items():
        for ordered in (True, False):

            def compared(ordered: bool = ordered, rows: list[Any] = rows) -> dict[str, Any]:
                with repeatable(model, setting.device if ordered else torch.device("cpu")):
                    one, other = step(rows), step(rows)
                    taken = [setting.seconds(lambda: step(rows)) for _ in range(setting.rounds)]
                same = all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
                return {"same": same, "value": round(1e3 * median(taken), 2), "unit": "ms"}

            yield {"row": name, "ordered": ordered, "n": setting.rounds} | tried(compared)


def answers(setting: Setting) -> Lines:
    """Greedy answers to prompts that share half of their tokens."""
    for shape in ("135m", "8b"):
        yield {"shape": shape} | tried(partial(answered, setting, shape))


def answered(setting: Setting, shape: str) -> dict[str, Any]:
    config = setting.config(shape)
    model = open_model(setting, config, "lora")
    engine = LocalEngine(model, Identity(base="", adapter="", tokenizer=""), str)
    length, longest = setting.tokens(512), setting.tokens(128)
    some = lessons(32, length, config["vocab_size"], shared=length // 2)
    prompts = [Prompt(ids=one.ids, messages=()) for one in some]
    decoding = Decoding(max_new_tokens=longest, temperature=0.0, top_p=1.0, seed=0, stop=())
    count = 0

    def ask() -> None:
        nonlocal count
        count = sum(len(one.ids) for one in engine.generate(prompts, decoding))

    ask()
    seconds = setting.seconds(ask)
    return {"prompts": len(prompts), "value": round(count / seconds, 1), "unit": "tokens/s"}


def tried(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the work measured, or the error that ended it."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - the next measurement goes on
        return {"error": repr(error)[:500]}
