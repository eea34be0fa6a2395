"""No base is special: other families with random weights walk the road to its end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.journey.project import build, speak

QWEN3 = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
}
GPT2 = {
    "architectures": ["GPT2LMHeadModel"],
    "model_type": "gpt2",
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": 512,
    "n_ctx": 512,
    "tie_word_embeddings": True,
}


def with_base(folder: Path, config: dict[str, Any]) -> Path:
    """The micro project on a base of another family, as transformers saves it."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    build(folder)
    vocabulary = json.loads((folder / "base" / "config.json").read_text())["vocab_size"]
    end = vocabulary - 1
    tokens = {"vocab_size": vocabulary, "eos_token_id": end, "bos_token_id": end}
    kind = config["model_type"]
    shaped = AutoConfig.for_model(kind, **{k: v for k, v in config.items() if k != "model_type"})
    shaped.update(tokens)
    (folder / "base" / "model.safetensors").unlink()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(shaped)
    model.save_pretrained(folder / "base")
    return folder


@pytest.mark.parametrize("config", [QWEN3, GPT2], ids=["qwen3", "gpt2"])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_another_family_walks_to_the_end(
    config: dict[str, Any], method: str, tmp_path: Path
) -> None:
    folder = with_base(tmp_path, config)
    said = speak(folder, "run", "--json", "--set", f"train.method={method}")
    assert said.code == 0, said.err
    assert [one["stage"] for one in json.loads(said.out)["artifacts"]] == [
        "curate",
        "train",
        "evaluate",
        "gate",
    ]


def test_a_base_without_a_chat_template_runs_and_says_what_it_took(tmp_path: Path) -> None:
    folder = build(tmp_path)
    settings = folder / "base" / "tokenizer_config.json"
    settings.write_text(json.dumps({"eos_token": "<|im_end|>"}))
    said = speak(folder, "check")
    assert said.code == 0, said.err
    assert "has no chat template: `contract.template: chatml` is taken" in said.out
    shutil.rmtree(folder)
