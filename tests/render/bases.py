"""Small base folders made on the spot: a tokenizer, a chat template, no weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.trainers import BpeTrainer

from tutelage.core.conversation import Message
from tutelage.core.recipe import Contract as Section
from tutelage.core.recipe import Recipe
from tutelage.core.row import Example, Source
from tutelage.render.contract import Contract
from tutelage.store.base import BaseFolder

GOLDEN = Path(__file__).parent.parent / "golden" / "templates"
QWEN, LLAMA = "Qwen-Qwen3-0.6B", "meta-llama-Llama-3.1-8B-Instruct"
MISTRAL, GEMMA = "mistralai-Mistral-Nemo-Instruct-2407", "google-gemma-2-2b-it"
MARKERS = {
    QWEN: ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    LLAMA: ("<s>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>"),
    MISTRAL: ("<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[TOOL_RESULTS]"),
    GEMMA: ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
}
ENDS = {QWEN: "<|im_end|>", LLAMA: "<|eot_id|>", MISTRAL: "</s>", GEMMA: "<eos>"}
BEGINS = {QWEN: None, LLAMA: "<s>", MISTRAL: "<s>", GEMMA: "<bos>"}
TEXT = "the user and the assistant speak of weather, music and tools in a city {} [] 1 2 3"
PLAIN = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_level() -> Any:
    """A small byte-level BPE, as GPT-2's, Qwen's and Llama 3's are."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([TEXT], trainer)
    return tokenizer


def with_space_marks() -> Any:
    """A small BPE as SentencePiece's: a mark before words, bytes for what is unknown."""
    letters = ["▁", *map(chr, range(33, 127))]
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters, "▁t", "he", "▁the"]
    merges = [("▁", "t"), ("h", "e"), ("▁t", "he")]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={piece: index for index, piece in enumerate(pieces)},
            merges=merges,
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return tokenizer


def base_of(
    folder: Path,
    *,
    template: str | None,
    markers: Sequence[str],
    end: str | None,
    begin: str | None = None,
    tokenizer: Any = None,
) -> BaseFolder:
    """A base folder of a tokenizer with these markers and this chat template."""
    tokenizer = tokenizer or byte_level()
    tokenizer.add_special_tokens([AddedToken(marker, normalized=False) for marker in markers])
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": end, "bos_token": begin}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    if template is not None:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return BaseFolder(name="small", folder=folder, config={"max_position_embeddings": 4096})


def golden_base(folder: Path, name: str) -> BaseFolder:
    """A base with one of the golden templates and a tokenizer that knows its markers."""
    template = (GOLDEN / f"{name}.jinja").read_text(encoding="utf-8")
    return base_of(
        folder, template=template, markers=MARKERS[name], end=ENDS[name], begin=BEGINS[name]
    )


def plain_base(folder: Path) -> BaseFolder:
    """A base with ChatML markers and the simplest template."""
    return base_of(folder, template=PLAIN, markers=MARKERS[QWEN], end="<|im_end|>")


def embedded() -> BaseFolder:
    """Tokenizer and template of the embedded base, its weights left aside."""
    folder = Path(str(files("tutelage.bases").joinpath("tiny")))
    return BaseFolder(name="tutelage/tiny", folder=folder, config={"max_position_embeddings": 2048})


def contract_of(base: BaseFolder, **section: Any) -> Contract:
    """The contract of a recipe that says only this of it."""
    recipe = Recipe(name="small").at(base.folder)
    return Contract.open(Section(**section), base, recipe)


def example(*messages: Message, **fields: Any) -> Example:
    """A row of these messages."""
    source = Source(uri="rows.jsonl", line=1)
    return Example(messages=messages, origin="human", licence="CC0-1.0", source=source, **fields)


def user(content: str) -> Message:
    return Message(role="user", content=content)


def assistant(content: str, **fields: Any) -> Message:
    return Message(role="assistant", content=content, **fields)


def system(content: str) -> Message:
    return Message(role="system", content=content)
