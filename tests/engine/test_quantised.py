"""A base kept in few bits: what it takes, and that transformers and PEFT compute the same on it."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from tests.engine.models import saved_model
from tutelage.core.errors import BaseModelError
from tutelage.engine.adapted import merge, quantise, stored_bytes
from tutelage.engine.adapter import LoraShape, apply_adapter, attach_lora, save_lora
from tutelage.engine.attention import layout
from tutelage.engine.backbone import Backbone, open_backbone
from tutelage.engine.quantised import Form, store
from tutelage.store.base import BaseFolder

IDS = torch.arange(9, 49)
PLAIN = LoraShape(rank=4, alpha=8.0, dropout=0.0, targets=None)
DORA = LoraShape(rank=4, alpha=8.0, dropout=0.0, targets=None, dora=True)


def quantised(base: BaseFolder, form: Form, *, force_hf: bool = False) -> Backbone:
    backbone = open_backbone(base, precision=torch.float32, frozen=True, force_hf=force_hf)
    quantise(backbone.module, list(backbone.sites()), form)
    return backbone


def logits(backbone: Backbone) -> Tensor:
    every, plan = torch.arange(len(IDS)), layout(np.full(len(IDS), len(IDS), dtype=np.int32))
    with torch.no_grad():
        return backbone.hidden(IDS, every, plan, every) @ backbone.head.T


def trained(backbone: Backbone, shape: LoraShape, folder: Path, base: BaseFolder) -> Tensor:
    """Logits with an adapter as if it had been trained, which is saved."""
    adapters = attach_lora(backbone, shape, seed=3)
    draw = torch.Generator().manual_seed(4)
    for adapter in adapters.values():
        torch.nn.init.normal_(adapter.b, std=0.1, generator=draw)
    save_lora(folder, adapters, shape, base=str(base.folder), backbone=backbone)
    return logits(backbone)


def theirs(base: BaseFolder, adapter: Path, how: BitsAndBytesConfig | None) -> Tensor:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the libraries they import
        from peft import PeftModel

        model = AutoModelForCausalLM.from_pretrained(
            base.folder, dtype=torch.float32, quantization_config=how
        )
        # out of training, bitsandbytes lays four bits out anew and multiplies in bf16
        model = PeftModel.from_pretrained(model, adapter).train(how is not None)
        found: Tensor = model(IDS[None]).logits[0].float()
    return found


def nf4_config() -> BitsAndBytesConfig:
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )


@pytest.mark.parametrize("shape", [PLAIN, DORA], ids=["lora", "dora"])
@pytest.mark.parametrize("force_hf", [False, True], ids=["flat", "hf"])
def test_peft_on_the_quantised_base_computes_what_training_did(
    force_hf: bool, shape: LoraShape, tmp_path: Path
) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    backbone = quantised(base, "nf4", force_hf=force_hf)
    ours = trained(backbone, shape, tmp_path / "adapter", base)
    expected = theirs(base, tmp_path / "adapter", nf4_config())
    torch.testing.assert_close(ours, expected, atol=1e-3, rtol=0)
    fresh = open_backbone(base, precision=torch.float32, frozen=True)
    apply_adapter(fresh, tmp_path / "adapter")
    as_published = theirs(base, tmp_path / "adapter", None)
    torch.testing.assert_close(logits(fresh), as_published, atol=1e-4, rtol=0)
    assert not torch.allclose(ours, as_published, atol=1e-2)


def test_int8_differs_from_theirs_by_the_activations_they_round_too(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    ours = trained(quantised(base, "int8"), PLAIN, tmp_path / "adapter", base)
    expected = theirs(base, tmp_path / "adapter", BitsAndBytesConfig(load_in_8bit=True))
    spread = (expected - expected.mean()).std()
    assert (ours - expected).abs().max() < 0.1 * spread


@pytest.mark.parametrize(("form", "share"), [("nf4", 0.27), ("int8", 0.54)])
def test_a_quantised_base_takes_a_quarter_or_half_of_bf16(
    form: Form, share: float, tmp_path: Path
) -> None:
    base, _ = saved_model("llama", tmp_path)
    plain = open_backbone(base, precision=torch.bfloat16, frozen=True)
    sites = list(plain.sites())
    half = sum(2 * site.inputs * site.outputs for site in sites)
    quantise(plain.module, sites, form)
    codes = 256 * 4 * len(sites) if form == "nf4" else 0  # a code book each, whatever the size
    assert stored_bytes(plain.module) - codes < share * half
    held = sum(x.numel() * x.element_size() for x in plain.module.parameters())
    assert held == plain.vocabulary * 64 * 2 + 7 * 64 * 2  # the embedding and the norms are left


@pytest.mark.parametrize("form", ["nf4", "int8"])
@pytest.mark.parametrize("force_hf", [False, True], ids=["flat", "hf"])
def test_the_gradient_is_that_of_the_matrices_written_out(
    form: Form, force_hf: bool, tmp_path: Path
) -> None:
    base, _ = saved_model("llama", tmp_path)
    packed, written = quantised(base, form, force_hf=force_hf), quantised(base, form)
    dense = open_backbone(base, precision=torch.float32, frozen=True)
    dense.load({name: value.clone() for name, value in written.export().items()})
    grads = []
    for backbone in (packed, dense):
        adapters = attach_lora(backbone, PLAIN, seed=3)
        draw = torch.Generator().manual_seed(4)
        for adapter in adapters.values():
            torch.nn.init.normal_(adapter.b, std=0.1, generator=draw)
        every, plan = torch.arange(40), layout(np.full(40, 40, dtype=np.int32))
        backbone.hidden(IDS, every, plan, every).square().sum().backward()
        grads.append({path: (one.a.grad, one.b.grad) for path, one in adapters.items()})
    for path, pair in grads[0].items():
        for ours, theirs_ in zip(pair, grads[1][path], strict=True):
            assert (ours - theirs_).abs().max() < 1e-5 * theirs_.abs().max()


def test_a_quantised_base_takes_no_adapter_into_its_weights(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    for force_hf in (False, True):
        backbone = quantised(base, "int8", force_hf=force_hf)
        attach_lora(backbone, PLAIN, seed=3)
        with pytest.raises(BaseModelError, match="takes no adapter into its weights"):
            merge(backbone.module)


def test_without_bitsandbytes_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    absent: Any = None
    monkeypatch.setitem(sys.modules, "bitsandbytes", absent)
    with pytest.raises(BaseModelError) as caught:
        store(torch.zeros(64, 64), "nf4")
    assert caught.value.hint == "pip install tutelage[qlora]"


def test_opening_bitsandbytes_says_nothing() -> None:
    code = "from tutelage.engine.quantised import open_bitsandbytes as o; o()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
