"""The ledger of the sealed tests: every model that was measured on a suite's file, in order.

`.tutelage/test-uses.jsonl` is only ever appended to. A file is known by its SHA-256 and by
what its rows ask, kept as digests in `.tutelage/test-rows`: a copy under another name, in
another order, laid out otherwise or with a few rows more or less is the same test. A new file
is a new one.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tutelage.core.digest import short_digest
from tutelage.core.errors import StoreError
from tutelage.core.row import Example
from tutelage.store.disk import full_disk_told, sync_folder, write_file
from tutelage.store.store import Store

USES = "test-uses.jsonl"
ROWS = "test-rows"
SHARED = 0.5  # of the smaller file's rows, beyond which two files are one test
SCHEMA = 1


def asked_by(rows: Sequence[Example]) -> list[str]:
    """A digest of what each row asks: the user's words, whatever blanks, case and answers.

    Where the user says the same in most rows, all that stands in them tells them apart.
    """
    said = [_folded(row, ("user",)) for row in rows]
    if 2 * len(set(said)) <= len(rows):
        said = [_folded(row, ("system", "user", "assistant", "tool")) for row in rows]
    return [short_digest(one.encode()) for one in said]


def _folded(row: Example, roles: Collection[str]) -> str:
    words = (turn.content for turn in row.messages if turn.role in roles)
    return " ".join("\n".join(words).casefold().split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One model measured on one file."""

    suite: str
    digest: str  # SHA-256 of the file
    adapter: str
    contract: str
    recipe: str  # its name
    at: str  # when it was begun, UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """The ledger of one project."""

    path: Path

    @classmethod
    def of(cls, store: Store) -> Uses:
        """The ledger beside a project's artifacts."""
        return cls(path=store.root / USES)

    def read(self) -> list[Use]:
        """Every use, the oldest first.

        Raises: StoreError for a line that is none, or of a newer schema.
        """
        if not self.path.exists():
            return []
        whole, _, _ = self.path.read_bytes().rpartition(b"\n")  # the rest died while written
        return [self._use(number, line) for number, line in enumerate(whole.splitlines(), 1)]

    def note(
        self,
        suites: Mapping[str, str],
        *,
        adapter: str,
        contract: str,
        recipe: str,
        rows: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        """Writes down, before anything is asked, which files a model is measured on.

        A model that was measured on a file before uses nothing up. `suites` are the
        digests of the files by the suites' names, `rows` what `asked_by` says of their rows.
        """
        for suite, ids in (rows or {}).items():
            if not self._rows(suites[suite]).exists():
                write_file(self._rows(suites[suite]), "\n".join(sorted(set(ids))).encode())
        seen = {(use.digest, use.adapter, use.contract) for use in self.read()}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        new = []
        for suite, digest in suites.items():
            if (digest, adapter, contract) not in seen:
                seen.add((digest, adapter, contract))
                new.append(
                    Use(
                        suite=suite,
                        digest=digest,
                        adapter=adapter,
                        contract=contract,
                        recipe=recipe,
                        at=now,
                    )
                )
        if new:
            self._append(new)

    def count(self, digest: str, *, adapter: str, contract: str) -> int | None:
        """The how-manieth model on this file it was, from 1; None where it was never noted.

        What is measured later does not change it: a verdict stays what it was.
        """
        every = self.read()
        alike = self._alike(digest, {use.digest for use in every})
        mine = [use for use in every if use.digest in alike]
        models = list(dict.fromkeys((use.adapter, use.contract) for use in mine))
        model = (adapter, contract)
        return models.index(model) + 1 if model in models else None

    def _alike(self, digest: str, others: Set[str]) -> set[str]:
        """The files that share most of their rows with one."""
        mine = self._ids(digest)
        found = {digest}
        for other in others - found:
            ids = self._ids(other)
            least = min(len(mine), len(ids))
            if least and len(mine & ids) > SHARED * least:
                found.add(other)
        return found

    def _ids(self, digest: str) -> frozenset[str]:
        path = self._rows(digest)
        return frozenset(path.read_text().split("\n")) if path.exists() else frozenset()

    def _rows(self, digest: str) -> Path:
        return self.path.parent / ROWS / f"{digest}.txt"

    def _append(self, uses: list[Use]) -> None:
        lines = [msgspec.json.encode({"schema": SCHEMA, **asdict(use)}) + b"\n" for use in uses]
        with full_disk_told(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as stream:
                torn = stream.tell() and not self.path.read_bytes().endswith(b"\n")
                stream.truncate(self.path.read_bytes().rfind(b"\n") + 1 if torn else None)
                stream.write(b"".join(lines))
                stream.flush()
                os.fsync(stream.fileno())
            sync_folder(self.path.parent)

    def _use(self, number: int, line: bytes) -> Use:
        where = f"{self.path.name}, line {number}"
        try:
            form = msgspec.json.decode(line, type=dict[str, str | int])
            schema = form.pop("schema")
            use = msgspec.convert(form, Use)
        except (msgspec.MsgspecError, KeyError) as error:
            raise StoreError(
                f"a line of the ledger of test uses cannot be read: {error}",
                where=where,
                hint="it is only ever appended to: put the line back from a copy",
            ) from error
        if not isinstance(schema, int) or schema > SCHEMA:
            raise StoreError(
                f"written by a newer tutelage: schema {schema}, this one reads {SCHEMA}",
                where=where,
                hint="upgrade tutelage",
            )
        return use
