from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.models import saved_model
from tutelage.core.errors import BaseModelError
from tutelage.engine.backbone import open_backbone, settle
from tutelage.store.base import BaseFolder, find_base


def test_the_log_says_which_backbone_and_attention_compute_and_why(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="tutelage")
    base, _ = saved_model("gpt2", tmp_path)
    capfd.readouterr()
    assert open_backbone(base, precision=torch.float32).kind == "hf"
    assert capfd.readouterr().err == ""  # no progress bar of its own
    assert "backbone: hf (model_type: gpt2)" in caplog.messages
    base, _ = saved_model("gemma2", tmp_path)
    settle(open_backbone(base, precision=torch.float32), torch.device("cpu"))
    assert "backbone: flat (gemma2)" in caplog.messages
    assert "attention: batched products, flash for chains above 640 tokens" in caplog.messages


def test_random_weights_repeat_with_their_seed_and_differ_from_the_base(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    name = "model.layers.0.mlp.up_proj.weight"
    first, again, other, kept = (
        open_backbone(base, precision=torch.float32, random_seed=seed).export()[name]
        for seed in (1, 1, 2, None)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, kept)


def changed(folder: Path, **keys: Any) -> BaseFolder:
    """A saved model whose configuration says something more."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))
    return find_base(str(folder), folder)


def test_frozen_weights_are_bf16_and_rotary_frequencies_stay_fp32(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    model = open_backbone(base, precision=torch.bfloat16, frozen=True, force_hf=True).module
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert {buffer.dtype for buffer in model.buffers()} == {torch.float32}


@pytest.mark.parametrize("kept", [0, 4, 2000, -1])
def test_weights_that_are_cut_off_are_told_before_any_work(kept: int, tmp_path: Path) -> None:
    saved_model("llama", tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BaseModelError, match=r"model\.safetensors of .* is cut off"):
        find_base(str(tmp_path), tmp_path)


@pytest.mark.parametrize("size", [None, 0, "two"])
def test_a_configuration_without_its_sizes_is_refused_by_their_names(
    size: object, tmp_path: Path
) -> None:
    saved_model("llama", tmp_path)
    broken = changed(tmp_path, num_hidden_layers=size)
    with pytest.raises(BaseModelError, match="does not give num_hidden_layers"):
        open_backbone(broken, precision=torch.float32)
