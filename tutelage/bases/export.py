"""Writes the pre-trained base as transformers reads it, with its model card.

python -m tutelage.bases.export TOKENS WORK FOLDER
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tutelage.bases.pretrain import ROPE, SHAPE, STAGES, Pretraining
from tutelage.bases.vocabulary import PAD, SPECIALS, STOP
from tutelage.core.digest import file_digest
from tutelage.core.errors import BaseModelError

log = logging.getLogger(__name__)

CARD = """---
license: apache-2.0
---

# tutelage/tiny

A small language model shipped with tutelage, so that the quick start, the tests and the demos
run where no model hub can be reached. Any Hugging Face id or folder can stand in its place.

| | |
|---|---|
| family | Llama: {layers} layers of {hidden}, {heads} heads |
| weights | {parameters:,} parameters, bf16; input and output embeddings are one |
| tokenizer | byte-level BPE, {vocabulary:,} ids; words without their leading space, single digits |
| template | ChatML-style, with system turn, functions and call results |
| context | {context:,} tokens |
| sha256 | `{weights}` of model.safetensors |
| seen | {seen:.1f} M tokens of the mixture below, in {steps:,} steps |
{stages}
| made by | `python -m tutelage.bases.learn`, `.mixture`, `.pretrain`, `.export` |

{notes}## Held-out text

Bits per byte on text that was left out of training by a hash of each document.

| text | bits per byte |
|---|---|
{measured}

## What it cannot do

It has seen very little text: it knows next to nothing about the world, does not reason, and
answers nothing usefully before it is tuned. It reads English; other languages only as bytes. The
books are old and may hold outdated language. It has had no safety training of any kind. It is
meant for learning, tests and demonstrations, not for production.

A large part of its reading is tasks made by rule: copy this, take that out, put a request into a
call of an invented function, choose a label from a list. They teach the general form of such
answers (`{{"name": ..., "arguments": ...}}`, `{{"intent": ...}}`, a label for none of the
others), so the base is better at these forms than at anything else, the examples of this project
among them.

## What it has read

The text itself is not shipped. A document's hash decides what is held out; the evaluation sets
used by tutelage's examples, the development part of Schema-Guided Dialogue and WikiText-2 were
never trained on. Weights are under Apache-2.0; the sources' own licences and the attribution
they ask for stand below.

| component | tokens | licence | attribution |
|---|---|---|---|
{components}

## Source files

| file | sha256 |
|---|---|
{files}
"""


def configuration() -> dict[str, Any]:
    """`config.json` of the base."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": SHAPE.vocabulary,
        "hidden_size": SHAPE.hidden,
        "intermediate_size": SHAPE.inner,
        "num_hidden_layers": SHAPE.layers,
        "num_attention_heads": SHAPE.heads,
        "num_key_value_heads": SHAPE.key_heads,
        "head_dim": SHAPE.head_width,
        "hidden_act": "silu",
        "max_position_embeddings": SHAPE.context,
        "rms_norm_eps": SHAPE.norm_epsilon,
        "rope_theta": ROPE.base,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": SHAPE.tied,
        "bos_token_id": None,
        "eos_token_id": SPECIALS.index(STOP),
        "pad_token_id": SPECIALS.index(PAD),
        "torch_dtype": "bfloat16",
    }


def card(mixture: Mapping[str, Any], training: Pretraining, weights: str) -> str:
    """The model card, its figures measured now; `weights` is their digest."""
    components: list[str] = []
    files: dict[str, str] = {}
    for name, entry in sorted(mixture["components"].items()):
        files |= {source["path"]: source["sha256"] for source in entry["sources"]}
        if "counts" not in entry:  # measured on, never trained on
            continue
        licences = sorted({source["licence"] for source in entry["sources"]})
        thanks = sorted({source["attribution"] for source in entry["sources"]})
        tokens = entry["counts"]["tokens"]
        components.append(
            f"| {name} | {tokens:,} | {'; '.join(licences) or 'made by rule'} "
            f"| {'; '.join(thanks)} |"
        )
    stages = training.stages()
    notes = "".join(f"{stage.note}\n\n" for stage in stages if stage.note)
    measured = [f"| {name} | {bits:.3f} |" for name, bits in training.evaluate().items()]
    return CARD.format(
        layers=SHAPE.layers,
        hidden=SHAPE.hidden,
        heads=SHAPE.heads,
        parameters=SHAPE.parameters,
        vocabulary=SHAPE.vocabulary,
        context=SHAPE.context,
        weights=weights,
        seen=training.progress.tokens / 1e6,
        steps=training.progress.step,
        stages="\n".join(
            f"| run {at} | {stage.tokens / 1e6:.1f} M of them, from warm-up to a rate of zero |"
            for at, stage in enumerate(stages, 1)
        ),
        notes=notes,
        measured="\n".join(measured),
        components="\n".join(components),
        files="\n".join(f"| {path} | `{digest}` |" for path, digest in sorted(files.items())),
    )


def export(tokens: Path, work: Path, folder: Path) -> None:
    """Write weights in bf16, configuration and card into `folder`.

    Raises: BaseModelError where `work` has no checkpoint: the weights would be random.
    """
    training = Pretraining(tokens, work, 1.0, compiled=False)
    if not training.progress.step:
        raise BaseModelError(
            "there is no pre-trained base to export",
            where=str(work),
            expected="the folder of a pre-training, with its checkpoint",
            hint="`python -m tutelage.bases.pretrain TOKENS WORK` makes it",
        )
    mixture = json.loads((tokens / "mixture.json").read_text(encoding="utf-8"))
    weights = training.model.export()
    path = folder / "model.safetensors"
    save_file(
        {name: value.to(torch.bfloat16).contiguous() for name, value in weights.items()},
        path,
        metadata={"format": "pt"},
    )
    path.chmod(0o644)
    for name, listed in (
        ("config.json", configuration()),
        (STAGES, {"schema": 1, "stages": [asdict(stage) for stage in training.stages()]}),
    ):
        (folder / name).write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
    written = card(mixture, training, file_digest(path))
    (folder / "README.md").write_text(written, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the pre-trained base and its card.")
    parser.add_argument("tokens", type=Path, help="folder of token shards")
    parser.add_argument("work", type=Path, help="folder of the pre-training's checkpoint")
    parser.add_argument("folder", type=Path, help="folder with the tokenizer, to write into")
    given = parser.parse_args()
    export(given.tokens, given.work, given.folder)


if __name__ == "__main__":
    main()
