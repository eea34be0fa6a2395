"""Where a base model lies on this machine, and the digests that name it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from tutelage.core.digest import file_digest, strong_digest
from tutelage.core.errors import BaseModelError
from tutelage.store.ingest import uri_of

EMBEDDED = "tutelage/tiny"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt")
TEMPLATE_FILES = ("chat_template.jinja", "tokenizer_config.json", "special_tokens_map.json")

LENGTH = 8  # bytes of a safetensors file that say how long its header is


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFolder:
    """A base model's folder: configuration, tokenizer, and weights unless they are random.

    `name` is as the recipe writes it, without folders of this machine.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]

    def weight_files(self) -> list[Path]:
        """The safetensors shards, in order; empty for a folder with a configuration only."""
        return sorted(self.folder.glob("*.safetensors"))

    def digests(self) -> dict[str, str]:
        """SHA-256 of configuration, weights and tokenizer: what an artifact's inputs name."""
        weights = {path.name: file_digest(path) for path in self.weight_files()}
        return {
            "base:config": strong_digest(dict(self.config)),
            "base:weights": strong_digest(weights),
            "base:tokenizer": self.tokenizer_digest(),
        }

    def tokenizer_digest(self) -> str:
        """SHA-256 over the tokenizer's files and its chat template."""
        present = [self.folder / name for name in (*TOKENIZER_FILES, *TEMPLATE_FILES)]
        return strong_digest({path.name: file_digest(path) for path in present if path.exists()})


def find_base(name: str, relative_to: Path) -> BaseFolder:
    """The folder of `tutelage/tiny`, of a path, or of a Hugging Face id that is on this machine
    or can be fetched.

    Raises: BaseModelError where nothing of that name is found or it is no model.
    """
    folder = _folder(name, relative_to)
    path = folder / "config.json"
    if not path.exists():
        raise BaseModelError(
            f"`{name}` has no config.json",
            where="train.base",
            expected="a folder as transformers saves it: config.json, tokenizer, safetensors",
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BaseModelError(
            f"config.json of `{name}` is no JSON: {error}", where="train.base"
        ) from error
    if not isinstance(config, dict):
        raise BaseModelError(
            f"config.json of `{name}` is no JSON object", where="train.base", expected="{...}"
        )
    base = BaseFolder(name=uri_of(name), folder=folder, config=config)
    for weights in base.weight_files():
        if _cut(weights):
            raise BaseModelError(
                f"{weights.name} of `{name}` is cut off, or no safetensors file",
                where="train.base",
                expected="a file as long as its header says",
                hint="fetch or copy it again; a clone without git-lfs has pointers in its place",
            )
    return base


def _cut(path: Path) -> bool:
    """Whether a safetensors file is not as long as its header says, or has none.

    Source: the safetensors format: 8 bytes of header length, a JSON header, the data.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH), "little")
        if length > size - LENGTH:
            return True
        try:
            header = json.loads(file.read(length))
            ends = [one["data_offsets"][1] for key, one in header.items() if key != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return True
    return bool(size != LENGTH + length + max(ends, default=0))


def _folder(name: str, relative_to: Path) -> Path:
    if name == EMBEDDED:
        return Path(str(files("tutelage.bases").joinpath("tiny")))
    here = relative_to / Path(name).expanduser()
    if here.is_dir():
        return here
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise BaseModelError(
            f"no folder `{name}`",
            where="train.base",
            expected=f"`{EMBEDDED}`, a folder, or a Hugging Face id such as Qwen/Qwen3-0.6B",
        )
    return _from_hub(name)


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise BaseModelError(
            f"`{name}` must be fetched and huggingface_hub is not installed",
            where="train.base",
            hint="pip install 'tutelage[train]'",
        ) from error
    wanted = ["*.json", "*.safetensors", "*.jinja", "tokenizer.model", "merges.txt"]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BaseModelError(
            f"`{name}` is not on this machine and cannot be fetched: {type(error).__name__}",
            where="train.base",
            expected=f"`{EMBEDDED}`, a folder, or a Hugging Face id that can be reached",
            hint="without a network, copy the model here and give its folder as `train.base`",
        ) from error
