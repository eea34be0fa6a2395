"""Opening a release: its base found, everything compared, its adapter proved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.core.errors import BadRow, BaseModelError, ContractError
from tutelage.engine.liveness import Fingerprint, check_alive, scores
from tutelage.engine.protocol import Engine
from tutelage.render.contract import Contract
from tutelage.render.difference import SHOWN, changed_lines
from tutelage.store.base import (
    TEMPLATE_FILES,
    TOKENIZER_FILES,
    BaseFolder,
    find_base,
    read_new_tokens,
)
from tutelage.store.release import TOKENIZER, ReleaseFolder

DIGITS = 12
HINT = "give the base that was trained with `--base`, or train again"
PARTS = {"base:config": "config.json", "base:weights": "weights"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A release ready to answer."""

    contract: Contract
    engine: Engine
    base: BaseFolder


def open_release(
    release: ReleaseFolder,
    *,
    base: str | None = None,
    relative_to: Path | None = None,
) -> Opened:
    """The release's contract, and its adapter on the base it belongs to.

    `base` names another place of the same base; paths are relative to the project.

    Raises: StoreError for damaged files; BaseModelError for another base or an adapter
        that is not live; ContractError for another tokenizer or template; each with
        what differs.
    """
    release.verify()
    found = release_base(release, base, relative_to)
    contract = release_contract(release, found)
    check_base(release, found)
    return Opened(contract=contract, engine=live_engine(release, contract, found), base=found)


def release_base(
    release: ReleaseFolder, base: str | None = None, relative_to: Path | None = None
) -> BaseFolder:
    """The base a release names, or the one given in its place, with the tokens it added.

    Raises: BaseModelError where there is none.
    """
    home = relative_to or (Path() if base else release.project or Path())
    tokens = read_new_tokens(release.adapter)
    return find_base(base or release.form["base"]["name"], home, tokens)


def release_contract(release: ReleaseFolder, base: BaseFolder) -> Contract:
    """The contract of a release on the base, which renders every prompt as it was taught.

    Raises: ContractError with each part that differs, and where in the base's files.
    """
    try:
        return Contract.from_dict(release.contract, base)
    except ContractError as error:
        raise ContractError(
            error.message,
            where=f"{release.label} on {error.where or base.name}",
            expected=error.expected or "the files the model was trained with",
            hint=HINT,
            rows=[*error.rows, *_file_rows(release, base)],
        ) from error


def check_tokenizer(release: ReleaseFolder, base: BaseFolder) -> None:
    """Whether the base's tokenizer and template are those of the release.

    Raises: ContractError that shows each difference.
    """
    if base.tokenizer_digest() == release.form["base"]["digests"]["base:tokenizer"]:
        return
    raise ContractError(
        f"tokenizer or template of `{base.name}` are not those of {release.label}",
        expected="the files the model was trained with",
        hint=HINT,
        rows=_file_rows(release, base),
    )


def check_base(release: ReleaseFolder, base: BaseFolder) -> None:
    """Whether configuration and weights are those the adapter was trained on.

    Raises: BaseModelError naming each that differs.
    """
    expected, found = release.form["base"]["digests"], base.digests()
    rows = [
        BadRow(where=name, problem=f"{found[key][:DIGITS]}, expected {expected[key][:DIGITS]}")
        for key, name in PARTS.items()
        if found[key] != expected[key]
    ]
    if rows:
        raise BaseModelError(
            f"`{base.name}` is not the base {release.label} was trained on",
            expected=f"`{release.form['base']['name']}` as it was then",
            hint="give that base with `--base FOLDER`",
            rows=rows,
        )


def fingerprint_of(release: ReleaseFolder) -> Fingerprint:
    """What the released model scored when it was released."""
    return Fingerprint.from_dict(release.form["fingerprint"])


def live_engine(release: ReleaseFolder, contract: Contract, base: BaseFolder) -> Engine:
    """Base and adapter, scoring as they did when released.

    Raises: BaseModelError where they do not.
    """
    from tutelage.engine.local import LocalEngine

    engine = LocalEngine.open(
        base, release.adapter, decode=contract.decode, precision=release.precision
    )
    check_alive(fingerprint_of(release), scores(engine, contract))
    return engine


def _file_rows(release: ReleaseFolder, base: BaseFolder) -> list[BadRow]:
    kept = release.folder / TOKENIZER
    return [
        BadRow(where=name, problem=problem)
        for name in (*TOKENIZER_FILES, *TEMPLATE_FILES)
        for problem in _differences(kept / name, base.folder / name)
    ]


def _differences(kept: Path, found: Path) -> Iterator[str]:
    """What differs between a release's file and the base's, in words."""
    if not kept.exists() and not found.exists():
        return
    if not kept.exists() or not found.exists():
        yield "is there and was not" if found.exists() else "is missing"
        return
    before, now = kept.read_text(encoding="utf-8"), found.read_text(encoding="utf-8")
    if before == now:
        return
    if kept.suffix != ".json":
        yield from _lines(before, now)
        return
    yield from _json_differences(json.loads(before), json.loads(now))


def _json_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys((*before, *now)):
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        if key == "model" and isinstance(old, dict) and isinstance(new, dict):
            yield from (f"model.{said}" for said in _json_differences(old, new))
        elif isinstance(old, list) and isinstance(new, list):
            yield f"{key}: {_first(old, new)}"
        elif isinstance(old, str) and isinstance(new, str):
            yield from (f"{key}: {line}" for line in _lines(old, new))
        else:
            yield f"{key}: another value"


def _first(before: list[Any], now: list[Any]) -> str:
    pairs = zip(before, now, strict=False)
    at = next((i for i, (old, new) in enumerate(pairs) if old != new), min(len(before), len(now)))
    old, new = (repr(many[at]) if at < len(many) else "nothing" for many in (before, now))
    return f"number {at + 1} is {new}, expected {old}"


def _lines(before: str, now: str) -> Iterator[str]:
    changed = changed_lines(before, now)
    yield from changed[:SHOWN]
    if len(changed) > SHOWN:
        yield f"and {len(changed) - SHOWN} more lines"
