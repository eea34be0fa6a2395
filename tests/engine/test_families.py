"""What a hub configuration means: as transformers' own classes read it."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import AutoConfig

from tests.engine.models import CONFIGS
from tutelage.core.errors import BaseModelError
from tutelage.engine.architecture import Architecture
from tutelage.engine.families import FAMILIES, SIZES, read_architecture, uncomputed
from tutelage.engine.folding import unfoldable

SHORT: dict[str, Any] = dict.fromkeys(SIZES, 8) | {"num_attention_heads": 4}
LINEAR = {"type": "linear", "factor": 4.0}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def as_transformers(config: dict[str, Any]) -> Architecture | None:
    """The architecture of what transformers would save for this configuration."""
    return read_architecture(AutoConfig.for_model(**config).to_dict())


@pytest.mark.parametrize("family", list(FAMILIES))
def test_what_is_left_unsaid_means_what_transformers_takes_it_for(family: str) -> None:
    short = {"model_type": family, **SHORT}
    found = read_architecture(short)
    assert found is not None
    assert found == as_transformers(short)


@pytest.mark.parametrize(
    ("family", "keys"),
    [
        ("llama", {"rope_theta": 500000.0, "rope_scaling": LLAMA3, "num_key_value_heads": 2}),
        ("llama", {"rope_scaling": LINEAR, "head_dim": 6}),
        ("mistral", {"sliding_window": None}),
        ("mistral", {"sliding_window": 7, "rope_theta": 1e6}),
        ("phi3", {"partial_rotary_factor": 0.5, "head_dim": 8}),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 9, "max_window_layers": 3}),
        ("qwen3", {"sliding_window": 9, "max_window_layers": 3}),
        ("smollm3", {"no_rope_layers": [1, 0] * 4}),
        ("smollm3", {"use_sliding_window": True, "sliding_window": 5}),
        ("gemma2", {"attn_logit_softcapping": None, "final_logit_softcapping": 7.0}),
        ("gemma3_text", {"rope_local_base_freq": 20000.0, "rope_theta": 2e6}),
        ("gemma3_text", {"rope_scaling": {"rope_type": "linear", "factor": 8.0}}),
        ("gemma3_text", {"sliding_window_pattern": 2, "sliding_window": 5}),
        ("gemma3_text", {"layer_types": ["full_attention", "sliding_attention"] * 4}),
    ],
)
def test_older_and_newer_ways_of_saying_it_mean_the_same(family: str, keys: dict[str, Any]) -> None:
    said = {"model_type": family, **SHORT, **keys}
    found = read_architecture(said)
    assert found is not None
    assert found == as_transformers(said)


def test_layers_differ_where_the_family_says_so() -> None:
    shape = read_architecture(CONFIGS["gemma3"]().to_dict())
    assert shape is not None
    assert [layer.window for layer in shape.attention] == [20, None, 20]
    ropes = [layer.rope for layer in shape.attention]
    assert [rope and rope.base for rope in ropes] == [10000.0, 1000000.0, 10000.0]
    shape = read_architecture(CONFIGS["smollm3"]().to_dict())
    assert shape is not None
    assert [layer.rope is None for layer in shape.attention] == [False, True, False]


@pytest.mark.parametrize("family", list(CONFIGS))
def test_weights_are_counted(family: str) -> None:
    from transformers import AutoModelForCausalLM

    config = CONFIGS[family]()
    shape = read_architecture(config.to_dict())
    if shape is None:
        assert family == "gpt2"
        return
    model = AutoModelForCausalLM.from_config(config)
    assert shape.parameters == sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize(
    ("family", "key", "value", "cause"),
    [
        ("bloom", "n_head", 4, "model_type: bloom"),
        ("llama", "attention_bias", True, "attention_bias: True"),
        ("llama", "mlp_bias", True, "mlp_bias: True"),
        ("llama", "hidden_act", "gelu", "hidden_act: gelu"),
        ("llama", "rope_scaling", {"type": "yarn", "factor": 4.0}, "rope_type: yarn"),
        ("llama", "partial_rotary_factor", 0.5, "partial_rotary_factor: 0.5"),
        ("llama", "quantization_config", {"bits": 4}, "quantization_config: {'bits': 4}"),
        ("phi3", "rope_scaling", {"type": "longrope"}, "rope_type: longrope"),
        ("qwen3", "layer_types", ["chunked_attention"], "layer_types: chunked_attention"),
        ("gemma2", "hidden_activation", "relu", "hidden_activation: relu"),
        (
            "gemma3_text",
            "use_bidirectional_attention",
            True,
            "use_bidirectional_attention: True",
        ),
    ],
)
def test_what_is_not_computed_is_named_by_its_key(
    family: str, key: str, value: object, cause: str
) -> None:
    config = {"model_type": family, **SHORT, key: value}
    assert uncomputed(config) == cause
    assert read_architecture(config) is None


@pytest.mark.parametrize("size", [None, 0, "two"])
def test_sizes_that_are_missing_are_named(size: object) -> None:
    with pytest.raises(BaseModelError, match="does not give num_hidden_layers"):
        read_architecture({"model_type": "gemma2", **SHORT, "num_hidden_layers": size})


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"model_type": "llama"}, None),
        ({"model_type": "gemma2", "layer_types": ["sliding_attention", "full_attention"]}, None),
        ({"model_type": "falcon"}, "attention of its own (falcon)"),
        ({"model_type": "mamba2"}, "recurrent layers (mamba2)"),
        (
            {"model_type": "lfm2", "layer_types": ["conv", "full_attention"]},
            "conv layers (layer_types)",
        ),
        (
            {"model_type": "llama4", "text_config": {"attention_chunk_size": 8192}},
            "attention in chunks of 8192 (attention_chunk_size)",
        ),
    ],
)
def test_layers_that_would_mix_lessons_are_named(config: dict[str, Any], named: str | None) -> None:
    assert unfoldable(config) == named
