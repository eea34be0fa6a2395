"""Going on from an earlier adapter: where it is, whether it fits, and its weights taken over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tutelage.core.digest import file_digest, strong_digest
from tutelage.core.errors import BadRow, BaseModelError, StoreError
from tutelage.core.recipe import Train
from tutelage.store.artifact import MANIFEST, read_manifest
from tutelage.store.base import BaseFolder, check_new_tokens
from tutelage.store.release import ADAPTER
from tutelage.store.run import Run

if TYPE_CHECKING:
    from torch import Tensor

    from tutelage.engine.adapter import LoraShape
    from tutelage.engine.backbone import Backbone
    from tutelage.engine.lowrank import LowRank

CONFIGS = {"adapter_config.json": "low-rank weights", "tuned.json": "every weight"}


def find_start(section: Train, base: BaseFolder, run: Run) -> Path | None:
    """The folder of the weights to go on from; None where the recipe names none.

    Raises: BaseModelError where there is none of that name, it was trained on another base, with
        other new tokens or with a method of the other kind.
    """
    if section.start_from is None:
        return None
    whole = _folder(section.start_from, run)
    folder = whole / ADAPTER if (whole / ADAPTER).is_dir() else whole
    held = [kind for name, kind in CONFIGS.items() if (folder / name).is_file()]
    wanted = CONFIGS["tuned.json" if section.method == "full" else "adapter_config.json"]
    if held != [wanted]:
        raise BaseModelError(
            f"`{section.start_from}` holds {held[0] if held else 'no adapter'}",
            where="train.start_from",
            expected=f"an adapter that holds {wanted}, as `method: {section.method}` goes on from",
        )
    check_new_tokens(base, folder)
    if (whole / MANIFEST).is_file():
        _check_base(section.start_from, whole, base)
    return folder


def start_digest(section: Train, base: BaseFolder, run: Run) -> dict[str, str]:
    """What provenance records of the adapter gone on from; empty where there is none."""
    folder = find_start(section, base, run)
    if folder is None:
        return {}
    files = {path.name: file_digest(path) for path in sorted(folder.iterdir()) if path.is_file()}
    return {"start_from": strong_digest(files)}


def _folder(name: str, run: Run) -> Path:
    folder = run.recipe.base_dir / name
    if folder.is_dir():
        return folder
    try:
        return run.store.load(name).folder
    except StoreError as error:
        raise BaseModelError(
            f"no folder and no artifact is named `{name}`",
            where="train.start_from",
            expected=error.expected or "an adapter of this project, or a folder",
        ) from error


def _check_base(name: str, whole: Path, base: BaseFolder) -> None:
    before, now = read_manifest(whole / MANIFEST).inputs, base.digests()
    rows = [
        BadRow(where=key, problem=f"{digest[:12]}, expected {before[key][:12]}")
        for key, digest in now.items()
        if key in before and before[key] != digest
    ]
    if rows:
        raise BaseModelError(
            f"`{name}` was trained on another base than `{base.name}`",
            where="train.start_from",
            expected="the base it was trained on",
            rows=rows,
        )


def start_whole(backbone: Backbone, folder: Path) -> None:
    """Take over every weight."""
    from tutelage.engine.adapter import apply_adapter

    apply_adapter(backbone, folder)


def start_lora(adapters: Mapping[str, LowRank], shape: LoraShape, folder: Path) -> None:
    """Take over the weights of each layer's adapter.

    Raises: BaseModelError with all that differs, where the earlier one has another shape.
    """
    from tutelage.engine.adapter import read_lora

    saved = read_lora(folder)
    ranks = sorted({pair.a.shape[0] for pair in saved.pairs.values()})
    found = {
        "train.lora.rank": (ranks, [shape.rank]),
        "scale (`alpha` by `rank`, or `rslora`)": (round(saved.scale, 6), round(shape.scale, 6)),
        "train.lora.dora": (bool(saved.magnitudes), shape.dora),
        "train.lora.targets, layers": (sorted(saved.pairs), sorted(adapters)),
    }
    rows = [
        BadRow(where=what, problem=f"{_short(before)} there, {_short(now)} in the recipe")
        for what, (before, now) in found.items()
        if before != now
    ]
    rows += [
        BadRow(where=path, problem=f"{_sizes(pair.a, pair.b)} there, {_sizes(own.a, own.b)} here")
        for path, own in adapters.items()
        if (pair := saved.pairs.get(path)) and _sizes(pair.a, pair.b) != _sizes(own.a, own.b)
    ]
    if rows:
        raise BaseModelError(
            "the adapter to go on from has another shape",
            where="train.start_from",
            expected="the same in the recipe",
            rows=rows,
        )
    for path, adapter in adapters.items():
        pair = saved.pairs[path]
        adapter.a.data.copy_(pair.a)
        adapter.b.data.copy_(pair.b)
        if adapter.magnitude is not None:
            adapter.magnitude.data.copy_(saved.magnitudes[path])


def start_new_rows(backbone: Backbone, folder: Path) -> None:
    """Take over the rows of new tokens."""
    from tutelage.engine.adapter import read_lora

    if backbone.new_rows is not None:
        backbone.new_rows.start(read_lora(folder).rows)


def _sizes(a: Tensor, b: Tensor) -> str:
    return f"{b.shape[0]} x {a.shape[1]}"


def _short(value: object) -> str:
    if not isinstance(value, list):
        return str(value)
    return f"{len(value)}" if len(value) > 3 else ", ".join(map(str, value)) or "none"
