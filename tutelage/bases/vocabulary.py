"""The tokenizer of the embedded base: byte-level BPE made so that a word copies as itself.

A word never carries its leading space, so it has the same ids after a space, after a quote and at
the start of a line. The price is more tokens of prose; the gain is that copying a span from a
request into JSON is copying ids.
"""

import json
import re
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

END, TURN, STOP, PAD = "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"
SPECIALS = (END, TURN, STOP, PAD)
SIZE = 4096

# Order matters: contractions, capitals, words (`OpenDoor` is two), single digits, JSON's marks with
# their inner space, other marks with the space that follows them, line ends, spaces, other blanks.
PIECES = (
    r"['’](?i:s|t|re|ve|m|ll|d)(?![\p{L}\p{M}])"
    r"|\p{Lu}+(?!\p{Ll})"
    r"|\p{Lu}?[\p{L}\p{M}&&\P{Lu}]+"
    r"|\p{N}"
    r'|["{}\[\]:,]+ ?["{}\[\]]*'
    r'|[^\s\p{L}\p{M}\p{N}"{}\[\]:,]+ ?'
    r"|\n+"
    r"| +"
    r"|\s"
)


def template() -> str:
    """The chat template (Jinja) of the embedded base."""
    return files("tutelage.bases").joinpath("template.jinja").read_text(encoding="utf-8").strip()


def chat(turns: Iterable[tuple[str, str]]) -> str:
    """Turns of (role, content) as the chat template renders them; a test holds the two equal."""
    return "".join(f"{TURN}{role}\n{content}{STOP}\n" for role, content in turns)


def learn(texts: Iterable[str], *, size: int = SIZE) -> Tokenizer:
    """A tokenizer learnt from the texts, with every byte in its alphabet."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=20,
        show_progress=False,
    )
    marker = re.compile("|".join(re.escape(special) for special in SPECIALS))
    tokenizer.train_from_iterator(
        (piece for text in texts for piece in marker.split(text)), trainer
    )
    return tokenizer


def save(tokenizer: Tokenizer, folder: Path, *, context: int = 2048) -> None:
    """Write the tokenizer as `transformers.AutoTokenizer` reads it, chat template included."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"eos_token": STOP, "pad_token": PAD, "additional_special_tokens": [END, TURN]}
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
        "padding_side": "right",
        **names,
        "bos_token": None,
        "unk_token": None,
    }
    for name, content in (("tokenizer_config", settings), ("special_tokens_map", names)):
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    (folder / "chat_template.jinja").write_text(template(), encoding="utf-8")
