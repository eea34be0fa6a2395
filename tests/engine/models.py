"""Small random models of several families, saved as transformers saves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
)

from tutelage.render.lesson import Lesson
from tutelage.store.base import BaseFolder, find_base

VOCABULARY = 300
DENSE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
CONFIGS: dict[str, Any] = {
    "llama": lambda: LlamaConfig(**DENSE, tie_word_embeddings=True),
    "mistral": lambda: MistralConfig(**DENSE, sliding_window=None),
    "qwen2": lambda: Qwen2Config(**DENSE),
    "qwen3": lambda: Qwen3Config(**DENSE, head_dim=32),
    "gpt2": lambda: GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=64,
        n_layer=3,
        n_head=4,
        n_positions=256,
        bos_token_id=1,
        eos_token_id=2,
    ),
}


def saved_model(family: str, folder: Path) -> tuple[BaseFolder, Any]:
    """A random model in `folder`, and the same model as transformers holds it."""
    model = AutoModelForCausalLM.from_config(CONFIGS[family]()).eval()
    draw = torch.Generator().manual_seed(5)
    for weight in model.parameters():
        mean, spread = (0.0, 0.08) if weight.dim() > 1 else (1.0, 0.1)
        torch.nn.init.normal_(weight, mean=mean, std=spread, generator=draw)
    model.save_pretrained(folder)
    return find_base(str(folder), Path(folder)), model


def lessons(count: int = 9) -> list[Lesson]:
    """Random lessons that share the first twelve prompt tokens."""
    draw = np.random.default_rng(0)

    def some(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw.integers(5, VOCABULARY, draw.integers(low, high)).tolist())

    shared = some(12, 13)
    return [
        Lesson(prompt=shared + some(3, 30), completion=some(2, 20), row=f"row{index}")
        for index in range(count)
    ]
