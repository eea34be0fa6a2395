"""Whether lessons of a base model may share a row, read from its hub configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SEEING = ("full_attention", "sliding_attention", "attention")  # layers whose keys can be chosen
RECURRENT = ("mamba", "rwkv", "jamba", "bamba", "falcon_h1", "nemotron_h", "qwen3_next", "zamba")
OWN = ("bloom", "falcon", "stablelm", "gpt_oss")  # attention that transformers does not open to us
LISTS = ("layer_types", "layers_block_type", "block_types", "hybrid_override_pattern")


def unfoldable(config: Mapping[str, Any]) -> str | None:
    """The layers that would mix the lessons of a row, by name; None where rows hold many.

    Such are recurrent layers and linear attention, whose state passes from token to token, and
    attention in chunks, whose bounds are places in the sequence. A row holds one lesson then.
    The hf backbone finds others when it opens a model: its `alone` says so.
    """
    inner = {**config, **(config.get("text_config") or {})}
    family = str(inner.get("model_type", ""))
    for key in LISTS:
        kinds = inner.get(key)
        other = {str(kind) for kind in kinds} - set(SEEING) if isinstance(kinds, list) else set()
        if other:
            return f"{', '.join(sorted(other))} layers ({key})"
    if inner.get("attention_chunk_size"):
        return f"attention in chunks of {inner['attention_chunk_size']} (attention_chunk_size)"
    if family in OWN:
        return f"attention of its own ({family})"
    return f"recurrent layers ({family})" if family.startswith(RECURRENT) else None
