"""Every check of a release, each by itself, so that all that is wrong is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tutelage.core.errors import BadRow, GateShut, TutelageError
from tutelage.core.recipe import Waiver
from tutelage.release.admit import admit
from tutelage.store.artifact import MANIFEST, read_json
from tutelage.store.base import BaseFolder
from tutelage.store.release import (
    ADAPTER,
    CONTRACT,
    RELEASE,
    TOKENIZER,
    VERDICT,
    ReleaseFolder,
)

WAIVER_KEYS = ("rule", "by", "reason", "expires")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One check: what was compared and what came of it."""

    what: str
    error: TutelageError | None = None
    says: str = ""  # where there is no error
    reached: bool = True  # False where it rests on something that failed

    @property
    def ok(self) -> bool:
        """Whether it was made and nothing differs."""
        return self.reached and self.error is None


@dataclass(slots=True, kw_only=True)
class _Checks:
    """Checks made so far, and what can no longer be relied on."""

    bad: set[str]  # files that are damaged and checks that failed

    def look(self, what: str, look: Callable[[], str], *rests_on: str) -> Checked:
        """One more check; `rests_on` names files (or folders, with `/`) and checks."""
        broken = sorted(name for name in self.bad if name.startswith(rests_on)) if rests_on else []
        if broken:
            self.bad.add(what)
            return Checked(what=what, reached=False, says=f"not reached: see {', '.join(broken)}")
        try:
            return Checked(what=what, says=look())
        except TutelageError as error:
            self.bad.add(what)
            return Checked(what=what, error=error)


def verify(
    release: ReleaseFolder,
    *,
    base: str | None = None,
    relative_to: Path | None = None,
    today: date,
) -> Iterator[Checked]:
    """Files, verdict, base, tokenizer and template, contract, and that the adapter is live.

    What rests on a check that failed is not reached, and says so.
    """
    files = _files(release)
    yield files
    damaged = {row.where for row in files.error.rows} if files.error else set()
    checks = _Checks(bad=damaged - {MANIFEST})
    yield checks.look("verdict", lambda: admitted(release, today), RELEASE, VERDICT)

    from tutelage.engine.release import check_base, check_tokenizer, live_engine, release_base
    from tutelage.render.contract import Contract

    found: list[BaseFolder] = []
    contracts: list[Contract] = []

    def same_base() -> str:
        found.append(release_base(release, base, relative_to))
        check_base(release, found[0])
        return f"{found[0].name}, every weight"

    def same_tokenizer() -> str:
        check_tokenizer(release, found[0])
        return "as it was trained with, template and all"

    def same_contract() -> str:
        contracts.append(Contract.from_dict(release.contract, found[0]))
        return f"{len(contracts[0].goldens)} golden conversations, id by id"

    def live() -> str:
        live_engine(release, contracts[0], found[0]).close()
        return "it changes the base as it did when released"

    yield checks.look("base", same_base, RELEASE)
    there = () if found else ("base",)  # another base's tokenizer is compared all the same
    yield checks.look("tokenizer", same_tokenizer, RELEASE, f"{TOKENIZER}/", *there)
    yield checks.look("contract", same_contract, RELEASE, CONTRACT, *there)
    yield checks.look("adapter", live, RELEASE, f"{ADAPTER}/", "base", "tokenizer", "contract")


def _files(release: ReleaseFolder) -> Checked:
    try:
        release.verify()
    except TutelageError as error:
        return Checked(what="files", error=error)
    return Checked(what="files", says=f"{len(release.manifest.files)} as in the manifest")


def admitted(release: ReleaseFolder, today: date) -> str:
    """By what leave a release may be served on a day.

    Raises: GateShut where a waiver it needs has ended.
    """
    waivers = [
        Waiver.model_validate({key: form[key] for key in WAIVER_KEYS})
        for form in release.form["waivers"]
    ]
    try:
        admit(read_json(release.folder / VERDICT), waivers, today)
    except GateShut as error:
        raise GateShut(
            "this release no longer has leave to be served",
            expected="a pass, or waivers that still hold",
            rows=[BadRow(where=row.where, problem=row.problem) for row in error.rows],
            hint="pass the gate, or renew the waiver and release again",
        ) from error
    ends = [str(form["expires"]) for form in release.form["waivers"]]
    return f"{release.form['outcome']}{f', waived until {min(ends)}' if ends else ''}"
