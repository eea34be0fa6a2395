"""An adapter on the head: what it computes, its gradients, and taken into weights of its own."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.engine.models import branching, saved_model
from tests.engine.test_adapter import EXTRAS, moved, opened, shape
from tutelage.engine import logprob
from tutelage.engine.adapted import merge, seats
from tutelage.engine.adapter import apply_adapter, attach_lora, save_lora
from tutelage.engine.attention import layout
from tutelage.engine.backbone import Backbone
from tutelage.engine.local import LocalEngine
from tutelage.engine.logprob import LossShape, head_logits, logprobs, supervised_loss
from tutelage.engine.lowrank import Beside, LowRank
from tutelage.engine.protocol import Decoding, Prompt
from tutelage.render.pack import pack

IDS = torch.arange(9, 49)


def targets_of(family: str) -> tuple[str, ...]:
    return ("lm_head", "c_attn" if family == "gpt2" else "q_proj")


def logits(backbone: Backbone, ids: Tensor = IDS) -> Tensor:
    every, plan = torch.arange(len(ids)), layout(np.full(len(ids), len(ids), dtype=np.int32))
    with torch.no_grad():
        hidden = backbone.hidden(ids, every, plan, every)
    return head_logits(hidden, backbone.head, backbone.logit_cap, backbone.beside_head(hidden))


def with_peft(model: Any, folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries it imports
        from peft import PeftModel

        return PeftModel.from_pretrained(model, folder).eval()


@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma2", "gpt2"])
@pytest.mark.parametrize("name", list(EXTRAS))
def test_the_adapted_head_is_what_peft_computes_and_merges_into_weights_of_its_own(
    name: str, family: str, tmp_path: Path
) -> None:
    base, model = saved_model(family, tmp_path / "base")
    backbone, extra = opened(base), shape(targets=targets_of(family), **EXTRAS[name])
    plain, embedded = logits(backbone), backbone.embeddings[0].clone()
    adapters = attach_lora(backbone, extra, seed=3)
    assert "lm_head" in adapters
    torch.testing.assert_close(logits(backbone), plain, atol=1e-4, rtol=0)
    moved(adapters)
    tuned = logits(backbone)
    assert not torch.allclose(tuned, plain, atol=0.05)
    save_lora(tmp_path, adapters, extra, base=base.name, backbone=backbone)
    again = opened(base)
    apply_adapter(again, tmp_path)
    torch.testing.assert_close(logits(again), tuned, atol=1e-4, rtol=0)
    theirs = with_peft(model, tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(theirs(IDS[None]).logits[0], tuned, atol=2e-4, rtol=0)

    merge(backbone.module)
    assert list(seats(backbone.module)) == []
    torch.testing.assert_close(logits(backbone), tuned, atol=1e-3, rtol=0)
    torch.testing.assert_close(backbone.embeddings[0], embedded, atol=0, rtol=0)
    exported = backbone.export()
    torch.testing.assert_close(exported["lm_head.weight"], backbone.head, atol=0, rtol=0)


def answered(backbone: Backbone, tokens: int) -> list[int]:
    """Greedy ids by the forward pass of a whole row, one at a time."""
    ids = IDS.tolist()
    for _ in range(tokens):
        every, plan = torch.arange(len(ids)), layout(np.full(len(ids), len(ids), dtype=np.int32))
        with torch.no_grad():
            hidden = backbone.hidden(torch.tensor(ids), every, plan, every[-1:])
        beside = backbone.beside_head(hidden)
        ids.append(int(head_logits(hidden, backbone.head, None, beside).argmax()))
    return ids[len(IDS) :]


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_an_engine_scores_and_answers_with_the_adapted_head(family: str, tmp_path: Path) -> None:
    base, model = saved_model(family, tmp_path / "base")
    backbone, extra = opened(base), shape(targets=("lm_head",))
    adapters = attach_lora(backbone, extra, seed=3)
    moved(adapters)
    folder = tmp_path / "adapter"
    save_lora(folder, adapters, extra, base=base.name, backbone=backbone)
    engine = LocalEngine.open(base, folder, decode=str, precision="fp32")
    (row,) = pack(branching(1, 1), 400, np.random.default_rng(0))
    theirs = with_peft(model, folder)
    with torch.no_grad():
        chances = theirs(torch.from_numpy(row.tokens).long()[None]).logits[0].log_softmax(-1)
    expected = chances[row.source.tolist(), row.tokens[row.target].tolist()]
    torch.testing.assert_close(torch.from_numpy(engine.score(row)), expected, atol=1e-4, rtol=0)
    prompt = Prompt(ids=tuple(IDS.tolist()))
    (answer,) = engine.generate([prompt], Decoding(max_new_tokens=6))
    streamed = [
        one for chunk in engine.stream(prompt, Decoding(max_new_tokens=6)) for one in chunk.ids
    ]
    assert list(answer.ids) == streamed == answered(backbone, 6)
    assert streamed != answered(opened(base), 6)


def test_all_leaves_the_head_out_and_a_name_or_a_pattern_takes_it_in(tmp_path: Path) -> None:
    for family in ("llama", "gpt2"):
        base, _ = saved_model(family, tmp_path / family)
        assert "lm_head" not in attach_lora(opened(base), shape(), seed=1)
        for target in ("lm_head", "lm_.*"):
            assert list(attach_lora(opened(base), shape(targets=(target,)), seed=1)) == ["lm_head"]


def scored(kind: torch.dtype, name: str, dropout: float) -> tuple[Beside, list[Tensor], Tensor]:
    """What an adapter on a head makes of hidden states; these, its weights, and the head."""
    draw = torch.Generator().manual_seed(0)
    weight, hidden = (torch.randn(n, 6, generator=draw) for n in (11, 17))
    extra = shape(rank=2, **EXTRAS[name])
    adapter = LowRank(inputs=6, outputs=11, rank=2, scale=extra.scale, dropout=dropout)
    torch.nn.init.normal_(adapter.a, generator=draw)
    if extra.init == "pissa":
        adapter.take_principal(weight, seed=0)
    if extra.dora:
        adapter.take_magnitudes(weight)
    moved({"": adapter})
    hidden = hidden.to(kind).requires_grad_()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        beside = adapter.beside(hidden, lambda: weight)
    return beside, [hidden, *adapter.parameters()], weight.to(kind)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("name", list(EXTRAS))
@pytest.mark.parametrize(
    "loss",
    [LossShape(), LossShape(cap=3.0, label_smoothing=0.1, z_loss=0.01, bias=torch.arange(11.0))],
    ids=["plain", "all"],
)
def test_loss_and_gradients_are_those_of_logits_written_out(
    name: str, loss: LossShape, dropout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logprob, "CHUNK_BYTES", {"cpu": 5 * 4 * 11})
    draw = torch.Generator().manual_seed(3)
    target, share = torch.randint(11, (17,), generator=draw), torch.rand(17, generator=draw)
    beside, trained, weight = scored(torch.float32, name, dropout)
    found = supervised_loss(trained[0], weight, target, share, loss, beside)
    ours = torch.autograd.grad(3 * found.total, trained, retain_graph=True)

    logits = trained[0] @ weight.T + beside.scale * beside.low @ beside.up.T
    if beside.longer is not None:
        logits = logits * beside.longer
    one = torch.eye(11)  # a head that gives its input
    expected = supervised_loss(logits, one, target, share, loss)
    torch.testing.assert_close(found.total, expected.total)
    torch.testing.assert_close(found.logprob, expected.logprob)
    torch.testing.assert_close(logprobs(trained[0], weight, target, loss, beside), expected.logprob)
    theirs = torch.autograd.grad(3 * expected.total, trained)
    for each, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(each, other, atol=1e-4, rtol=1e-4)


def test_in_bf16_the_gradient_is_that_of_fp32_but_for_rounding() -> None:
    target, share = torch.arange(17) % 11, torch.ones(17)
    found = []
    for kind in (torch.float32, torch.bfloat16):
        beside, trained, weight = scored(kind, "dora", 0.0)
        loss = supervised_loss(trained[0], weight, target, share, LossShape(), beside)
        found.append([one.float() for one in torch.autograd.grad(loss.total, trained)])
    for wide, narrow in zip(*found, strict=True):
        assert float((wide - narrow).norm() / wide.norm()) < 0.02
