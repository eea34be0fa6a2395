"""A base model small enough to train in seconds, built from literals, and rows to teach it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIALS = ("<|im_start|>", "<|im_end|>")
WIDTH, INNER, LAYERS, HEADS, CONTEXT = 32, 64, 2, 2, 512
TEAMS = ("billing", "shipping", "account", "technical")


def micro_base(folder: Path, *, seed: int = 0) -> Path:
    """A Llama-style base of two layers that reads bytes, its weights random."""
    folder.mkdir(parents=True)
    vocabulary = _tokenizer(folder)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": WIDTH // HEADS,
        "vocab_size": vocabulary,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "torch_dtype": "float32",
        "eos_token_id": vocabulary - 1,
    }
    (folder / "config.json").write_text(json.dumps(config))
    save_file(_weights(vocabulary, seed), folder / "model.safetensors", {"format": "pt"})
    return folder


def write_rows(path: Path, texts: Iterable[tuple[str, str]]) -> Path:
    """A file of rows, a request and its answer each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": asked},
                    {"role": "assistant", "content": answer},
                ]
            }
        )
        for asked, answer in texts
    )
    path.write_text("".join(line + "\n" for line in lines))
    return path


def tickets(count: int, *, first: int = 0) -> list[tuple[str, str]]:
    """Requests no two of which are alike, and the JSON that answers each."""
    things = ("lamp", "sofa", "phone", "clock", "chair", "piano", "mirror", "kettle", "carpet")
    faults = ("is broken", "came late", "costs too much", "makes noise", "has gone", "is wet")
    rows = []
    for index in range(first, first + count):
        thing, fault = things[index % len(things)], faults[index // 3 % len(faults)]
        asked = f"case {index * 7919 % 10007}: my {thing} {fault} since day {index * 31 % 97}"
        rows.append((asked, json.dumps({"team": TEAMS[index % len(TEAMS)]})))
    return rows


def _tokenizer(folder: Path) -> int:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: at for at, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in SPECIALS])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"chat_template": TEMPLATE, "eos_token": SPECIALS[1]}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return len(letters) + len(SPECIALS)


def _weights(vocabulary: int, seed: int) -> dict[str, NDArray[np.float32]]:
    stream = np.random.default_rng(seed)

    def drawn(*shape: int) -> NDArray[np.float32]:
        return (0.05 * stream.standard_normal(shape)).astype(np.float32)

    weights = {
        "model.embed_tokens.weight": drawn(vocabulary, WIDTH),
        "model.norm.weight": np.ones(WIDTH, dtype=np.float32),
    }
    for layer in range(LAYERS):
        of = f"model.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            weights[f"{of}.self_attn.{name}.weight"] = drawn(WIDTH, WIDTH)
        for name in ("gate_proj", "up_proj"):
            weights[f"{of}.mlp.{name}.weight"] = drawn(INNER, WIDTH)
        weights[f"{of}.mlp.down_proj.weight"] = drawn(WIDTH, INNER)
        for name in ("input_layernorm", "post_attention_layernorm"):
            weights[f"{of}.{name}.weight"] = np.ones(WIDTH, dtype=np.float32)
    return weights
