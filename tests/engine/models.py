"""Small random models of several families, saved as transformers saves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
    SmolLM3Config,
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
WINDOW = 20  # shorter than most lessons
GEMMA: dict[str, Any] = {"head_dim": 16, "pad_token_id": 0}
CONFIGS: dict[str, Any] = {
    "llama": lambda: LlamaConfig(**DENSE, tie_word_embeddings=True),
    "llama3": lambda: LlamaConfig(
        **DENSE,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 10000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    ),
    "mistral": lambda: MistralConfig(**DENSE, sliding_window=WINDOW),
    "qwen2": lambda: Qwen2Config(
        **DENSE, use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1
    ),
    "qwen3": lambda: Qwen3Config(**DENSE, head_dim=32),
    "smollm3": lambda: SmolLM3Config(**DENSE, no_rope_layer_interval=2, pad_token_id=0),
    "phi3": lambda: Phi3Config(
        **DENSE,
        sliding_window=WINDOW,
        pad_token_id=0,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10000.0,
            "partial_rotary_factor": 0.5,
        },
    ),
    "gemma": lambda: GemmaConfig(**DENSE, **GEMMA),
    "gemma2": lambda: Gemma2Config(
        **DENSE,
        **GEMMA,
        sliding_window=WINDOW,
        query_pre_attn_scalar=24,
        attn_logit_softcapping=2.0,
        final_logit_softcapping=3.0,
    ),
    "gemma3": lambda: Gemma3TextConfig(
        **DENSE,
        **GEMMA,
        sliding_window=WINDOW,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        query_pre_attn_scalar=24,
        rope_parameters={
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
        },
    ),
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
    middle = 0.0 if family.startswith("gemma") else 1.0  # of norms
    for weight in model.parameters():
        mean, spread = (0.0, 0.08) if weight.dim() > 1 else (middle, 0.1)
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


def branching(seed: int, count: int = 8) -> list[Lesson]:
    """Random lessons each of which begins as much of the one before it does."""
    draw = np.random.default_rng(seed)
    path: list[int] = []
    found = []
    for index in range(count):
        kept = int(draw.integers(0, len(path) + 1)) if draw.random() < 0.8 else 0
        fresh = draw.integers(5, VOCABULARY, draw.integers(4, 50)).tolist()
        path = [*path[:kept][:100], *fresh]
        taught = int(draw.integers(1, len(path)))
        prompt, completion = tuple(path[:-taught]), tuple(path[-taught:])
        found.append(Lesson(prompt=prompt, completion=completion, row=f"row{index}"))
    return found
