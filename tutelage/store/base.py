"""Where a base model lies on this machine, and the digests that name it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from tutelage.core.digest import file_digest, strong_digest
from tutelage.core.errors import BadRow, BaseModelError
from tutelage.core.recipe import NewToken
from tutelage.store.ingest import uri_of

EMBEDDED = "tutelage/tiny"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt")
NEW_TOKENS = "new_tokens.json"  # in an adapter's folder
TEMPLATE_FILES = ("chat_template.jinja", "tokenizer_config.json", "special_tokens_map.json")

LENGTH = 8  # bytes of a safetensors file that say how long its header is


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFolder:
    """A base model's folder: configuration, tokenizer, and weights unless they are random.

    `name` is as the recipe writes it, without folders of this machine. With `new_tokens` its
    tokenizer, and the weights that are a token's, are those of the folder and these beside.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    new_tokens: tuple[NewToken, ...] = ()

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
        """SHA-256 over the tokenizer's files, its chat template and what was added to it."""
        present = [self.folder / name for name in (*TOKENIZER_FILES, *TEMPLATE_FILES)]
        files = {path.name: file_digest(path) for path in present if path.exists()}
        if not self.new_tokens:
            return strong_digest(files)
        return strong_digest({"files": files, "new_tokens": _forms(self.new_tokens)})


def find_base(name: str, relative_to: Path, new_tokens: tuple[NewToken, ...] = ()) -> BaseFolder:
    """The folder of `tutelage/tiny`, of a path, or of a Hugging Face id that is on this machine
    or can be fetched; `new_tokens` are added to it.

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
    base = BaseFolder(name=uri_of(name), folder=folder, config=config, new_tokens=new_tokens)
    for weights in base.weight_files():
        if _cut(weights):
            raise BaseModelError(
                f"{weights.name} of `{name}` is cut off, or no safetensors file",
                where="train.base",
                expected="a file as long as its header says",
                hint="fetch or copy it again; a clone without git-lfs has pointers in its place",
            )
    return base


def write_new_tokens(folder: Path, base: BaseFolder) -> None:
    """Says in an adapter's folder which tokens were added to its base."""
    form = {"schema": 1, "added": len(base.new_tokens), "tokens": _forms(base.new_tokens)}
    text = json.dumps(form, indent=1, ensure_ascii=False)
    (folder / NEW_TOKENS).write_text(f"{text}\n", encoding="utf-8")


def read_new_tokens(folder: Path) -> tuple[NewToken, ...]:
    """The tokens an adapter's folder says were added to its base.

    Raises: BaseModelError where what it says cannot be read.
    """
    path = folder / NEW_TOKENS
    if not path.exists():
        return ()
    try:
        form = json.loads(path.read_text(encoding="utf-8"))
        return tuple(NewToken.model_validate(one) for one in form["tokens"])
    except (ValueError, KeyError, TypeError) as error:
        raise BaseModelError(
            f"{NEW_TOKENS} cannot be read: {error}", where=folder.name, hint="train again"
        ) from error


def check_new_tokens(base: BaseFolder, folder: Path) -> None:
    """Whether an adapter was trained with the tokens that are added to the base.

    Raises: BaseModelError with each token that only one of them has.
    """
    theirs, ours = read_new_tokens(folder), base.new_tokens
    if theirs == ours:
        return
    rows = [
        BadRow(where=f"`{one.text}`", problem=says)
        for ones, others, says in (
            (theirs, ours, "was added when it was trained, and is not"),
            (ours, theirs, "is added, and was not when it was trained"),
        )
        for one in ones
        if one not in others
    ]
    raise BaseModelError(
        "the adapter was trained with other new tokens than are added to its base",
        where="train.new_tokens",
        expected="the same, in the same order",
        rows=rows,
        hint="put `train.new_tokens` back as it was, or train again",
    )


def _forms(tokens: tuple[NewToken, ...]) -> list[dict[str, Any]]:
    return [one.model_dump(mode="json") for one in tokens]


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
    wanted.append("README.md")  # says the licence
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BaseModelError(
            f"`{name}` is not on this machine and cannot be fetched: {type(error).__name__}",
            where="train.base",
            expected=f"`{EMBEDDED}`, a folder, or a Hugging Face id that can be reached",
            hint="without a network, copy the model here and give its folder as `train.base`",
        ) from error
