"""The families the flat backbone computes: one function and one line of the table each.

A family is a hub `model_type`. Its function turns a configuration into an Architecture; what
a configuration leaves unsaid is what the family's own configuration class would say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from tutelage.core.errors import BaseModelError
from tutelage.engine.architecture import Architecture, Layer
from tutelage.engine.rope import FULL, SLIDING, read_rope, rope_cause

Config = Mapping[str, Any]
SIZES = (
    "num_attention_heads",
    "hidden_size",
    "vocab_size",
    "num_hidden_layers",
    "intermediate_size",
)
SILU, GELU = ("silu", "swish"), ("gelu_pytorch_tanh",)


def llama(config: Config) -> Architecture:
    """Llama, SmolLM and all that call themselves Llama; the others are told by their difference."""
    heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
    return Architecture(
        family=str(config["model_type"]),
        vocabulary=int(config["vocab_size"]),
        hidden=hidden,
        heads=heads,
        key_heads=int(config.get("num_key_value_heads") or heads),
        head_width=_head_width(config),
        inner=int(config["intermediate_size"]),
        context=int(config["max_position_embeddings"]),
        norm_epsilon=float(config["rms_norm_eps"]),
        tied=bool(config["tie_word_embeddings"]),
        attention=(Layer(rope=read_rope(config, _head_width(config))),)
        * int(config["num_hidden_layers"]),
    )


def mistral(config: Config) -> Architecture:
    """Every layer sees a window, where one is given."""
    kinds = [SLIDING] * int(config["num_hidden_layers"])
    return _windowed(llama(config), {**config, "layer_types": None}, kinds)


def phi3(config: Config) -> Architecture:
    """Mistral's layers; the hub keeps their matrices fused; heads may turn in part."""
    return replace(mistral(config), fused=True)


def qwen2(config: Config) -> Architecture:
    """Biases on queries, keys and values; a window in the upper layers where it is used."""
    first = int(config["max_window_layers"])
    kinds = [SLIDING if at >= first else FULL for at in range(int(config["num_hidden_layers"]))]
    used = config if config["use_sliding_window"] else {**config, "sliding_window": None}
    return replace(_windowed(llama(config), used, kinds), qkv_bias=True)


def qwen3(config: Config) -> Architecture:
    """Qwen2 without the biases, queries and keys normed."""
    return replace(qwen2(config), qkv_bias=False, qk_norm=True)


def smollm3(config: Config) -> Architecture:
    """Positions are told to three layers of four."""
    shape, every = llama(config), int(config["no_rope_layer_interval"])
    told = config.get("no_rope_layers") or [(at + 1) % every != 0 for at in range(shape.layers)]
    kinds = [FULL if has_rope else SLIDING for has_rope in told]
    used = config if config["use_sliding_window"] else {**config, "sliding_window": None}
    shape = _windowed(shape, used, kinds)
    pairs = zip(shape.attention, told, strict=True)
    kept = tuple(layer if has_rope else replace(layer, rope=None) for layer, has_rope in pairs)
    return replace(shape, attention=kept)


def gemma(config: Config) -> Architecture:
    """Norm weights count from one, embeddings are scaled, the gate is a GELU."""
    return replace(
        llama(config),
        activation="gelu_tanh",
        norm_offset=1.0,
        embedding_scale=float(config["hidden_size"]) ** 0.5,
    )


def gemma2(config: Config) -> Architecture:
    """Norms on both sides of attention and MLP, soft caps, every other layer with a window."""
    shape = gemma(config)
    kinds = [FULL if at % 2 else SLIDING for at in range(shape.layers)]
    return replace(
        _windowed(shape, config, kinds),
        sandwiched=True,
        score_scale=float(config["query_pre_attn_scalar"]) ** -0.5,
        score_cap=_cap(config["attn_logit_softcapping"]),
        logit_cap=_cap(config["final_logit_softcapping"]),
    )


def gemma3(config: Config) -> Architecture:
    """Gemma 2 with normed queries and keys; layers with a window turn by a base of their own."""
    every = int(config.get("sliding_window_pattern") or config["_sliding_window_pattern"])
    kinds = [
        SLIDING if (at + 1) % every else FULL for at in range(int(config["num_hidden_layers"]))
    ]
    kinds = config.get("layer_types") or kinds
    shape = _windowed(gemma2({**config, "layer_types": kinds}), config, kinds)
    pairs = zip(shape.attention, kinds, strict=True)
    turned = tuple(
        replace(layer, rope=read_rope(config, _head_width(config), kind)) for layer, kind in pairs
    )
    return replace(shape, attention=turned, qk_norm=True, score_cap=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How a hub family is read.

    `absent` is what a configuration means that does not say a key; `other` the keys whose
    values, but for those listed, change the forward pass in a way that is not computed.
    """

    shape: Callable[[Config], Architecture] = llama
    activations: tuple[str, ...] = SILU
    absent: Mapping[str, Any] = field(default_factory=dict)
    other: tuple[str, ...] = ("attention_bias", "mlp_bias")
    partial: bool = False  # heads may turn in part


BASIC = {"max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "tie_word_embeddings": False}
QWEN = {
    **BASIC,
    "num_key_value_heads": 32,
    "max_position_embeddings": 32768,
    "use_sliding_window": False,
    "sliding_window": 4096,
    "max_window_layers": 28,
}
GEMMA = {
    **BASIC,
    "num_key_value_heads": 16,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
    "head_dim": 256,
}
GEMMA2 = {
    **GEMMA,
    "num_key_value_heads": 4,
    "query_pre_attn_scalar": 256,
    "sliding_window": 4096,
    "attn_logit_softcapping": 50.0,
    "final_logit_softcapping": 30.0,
}
GEMMA3 = {
    **GEMMA2,
    "max_position_embeddings": 131072,
    "attn_logit_softcapping": None,
    "final_logit_softcapping": None,
    "_sliding_window_pattern": 6,
    "rope_theta": 1_000_000.0,
    "rope_local_base_freq": 10_000.0,
}
MISTRAL = {
    **BASIC,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
    "sliding_window": 4096,
}
PHI3 = {**BASIC, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "sliding_window": None}
SMOLLM3 = {
    **BASIC,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": True,
    "num_key_value_heads": 4,
    "no_rope_layer_interval": 4,
    "use_sliding_window": False,
    "sliding_window": None,
    "rope_theta": 2_000_000.0,
}
BIDIRECTIONAL = ("attention_bias", "use_bidirectional_attention")

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "llama": Family(absent=BASIC),
        "mistral": Family(shape=mistral, absent=MISTRAL),
        "phi3": Family(shape=phi3, absent=PHI3, partial=True),
        "qwen2": Family(shape=qwen2, absent=QWEN, other=()),
        "qwen3": Family(shape=qwen3, absent={**QWEN, "head_dim": 128}),
        "smollm3": Family(shape=smollm3, absent=SMOLLM3),
        "gemma": Family(shape=gemma, activations=GELU, absent=GEMMA, other=BIDIRECTIONAL),
        "gemma2": Family(shape=gemma2, activations=GELU, absent=GEMMA2, other=BIDIRECTIONAL),
        "gemma3_text": Family(
            shape=gemma3,
            activations=GELU,
            absent=GEMMA3,
            other=(*BIDIRECTIONAL, "attn_logit_softcapping"),
        ),
    }
)


def uncomputed(config: Config) -> str | None:
    """The key of a hub configuration that the flat backbone does not compute, and its value."""
    name = str(config.get("model_type", ""))
    family = FAMILIES.get(name)
    if family is None:
        return f"model_type: {name or None}"
    said = {**family.absent, **config}
    for key in (*family.other, "quantization_config"):
        if said.get(key):
            return f"{key}: {said[key]}"
    for key in ("hidden_activation", "hidden_act"):
        if said.get(key, family.activations[0]) not in (None, *family.activations):
            return f"{key}: {said[key]}"
    for kind in said.get("layer_types") or ():
        if kind not in (FULL, SLIDING):
            return f"layer_types: {kind}"
    return rope_cause(said, partial=family.partial)


def read_architecture(config: Config) -> Architecture | None:
    """The architecture a hub configuration names, or None where `uncomputed` gives a cause.

    Such a model runs on transformers instead of running wrongly.

    Raises: BaseModelError naming the sizes the configuration does not give.
    """
    if uncomputed(config) is not None:
        return None
    family = FAMILIES[config["model_type"]]
    said = {**family.absent, **config}
    unsaid = [name for name in SIZES if not _is_size(said.get(name))]
    if unsaid:
        raise BaseModelError(
            f"config.json does not give {', '.join(unsaid)}",
            where="train.base",
            expected="whole numbers of at least 1",
        )
    return family.shape(said)


def _is_size(value: object) -> bool:
    return isinstance(value, int) and value >= 1


def _head_width(config: Config) -> int:
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def _cap(value: float | None) -> float | None:
    return None if value is None else float(value)


def _windowed(shape: Architecture, config: Config, kinds: list[str]) -> Architecture:
    """The shape with the window on its sliding layers; `layer_types` says which, if it is there."""
    window = config["sliding_window"]
    kinds = config.get("layer_types") or kinds
    pairs = zip(shape.attention, kinds, strict=True)
    layers = [replace(x, window=int(window)) if window and k == SLIDING else x for x, k in pairs]
    return replace(shape, attention=tuple(layers))
