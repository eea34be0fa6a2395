"""Which models the flat backbone computes itself, read from a hub `config.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tutelage.core.errors import BaseModelError

FLAT_FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
SIZES = (
    "num_attention_heads",
    "hidden_size",
    "vocab_size",
    "num_hidden_layers",
    "intermediate_size",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Shape of a dense RMSNorm + RoPE + gated-MLP decoder."""

    family: str
    vocabulary: int
    hidden: int
    layers: int
    heads: int
    key_heads: int
    head_width: int
    inner: int
    context: int
    norm_epsilon: float
    rope_base: float
    tied: bool
    qkv_bias: bool
    qk_norm: bool

    @property
    def parameters(self) -> int:
        """Number of weights, a tied head counted once."""
        attention = self.hidden * self.head_width * 2 * (self.heads + self.key_heads)
        block = attention + 3 * self.hidden * self.inner + 2 * self.hidden
        head = 0 if self.tied else self.vocabulary * self.hidden
        return self.vocabulary * self.hidden + self.layers * block + self.hidden + head


def read_architecture(config: Mapping[str, Any]) -> Architecture | None:
    """The architecture a hub configuration names, or None where the flat backbone does not know it.

    Anything that changes the forward pass in a way that is not computed here (scaled
    rotary embeddings, sliding windows in use, another activation) answers None too,
    so that such a model runs on transformers instead of running wrongly.

    Raises: BaseModelError naming the sizes the configuration does not give.
    """
    family = str(config.get("model_type", ""))
    if family not in FLAT_FAMILIES or not _is_plain(config, family):
        return None
    unsaid = [name for name in SIZES if not _is_size(config.get(name))]
    if unsaid:
        raise BaseModelError(
            f"config.json does not give {', '.join(unsaid)}",
            where="train.base",
            expected="whole numbers of at least 1",
        )
    heads = int(config["num_attention_heads"])
    hidden = int(config["hidden_size"])
    rope = config.get("rope_parameters") or {}
    return Architecture(
        family=family,
        vocabulary=int(config["vocab_size"]),
        hidden=hidden,
        layers=int(config["num_hidden_layers"]),
        heads=heads,
        key_heads=int(config.get("num_key_value_heads") or heads),
        head_width=int(config.get("head_dim") or hidden // heads),
        inner=int(config["intermediate_size"]),
        context=int(config.get("max_position_embeddings", 2048)),
        norm_epsilon=float(config.get("rms_norm_eps", 1e-6)),
        rope_base=float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0),
        tied=bool(config.get("tie_word_embeddings", False)),
        qkv_bias=family == "qwen2",
        qk_norm=family == "qwen3",
    )


def _is_size(value: object) -> bool:
    return isinstance(value, int) and value >= 1


def _is_plain(config: Mapping[str, Any], family: str) -> bool:
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    window = config.get("sliding_window") if config.get("use_sliding_window", True) else None
    if family == "qwen2" or family == "qwen3":
        window = config.get("sliding_window") if config.get("use_sliding_window", False) else None
    context = int(config.get("max_position_embeddings", 2048))
    biased = config.get("mlp_bias") or (family != "qwen2" and config.get("attention_bias"))
    return (
        kind == "default"
        and not biased
        and config.get("hidden_act", "silu") in ("silu", "swish")
        and float(config.get("partial_rotary_factor", 1.0) or 1.0) == 1.0
        and (window is None or int(window) >= context)
    )
