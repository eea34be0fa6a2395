"""The ledger of the sealed tests: every model that was measured on a suite's file, in order.

`.tutelage/test-uses.jsonl` is only ever appended to. A file is known by its SHA-256 and by
what its rows ask, kept as digests in `.tutelage/test-rows`: a copy under another name, in
another order, laid out otherwise, with rows repeated or a few more or less is the same test. A
new file is a new one.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tutelage.core.conversation import Message
from tutelage.core.digest import short_digest
from tutelage.core.errors import StoreError
from tutelage.core.row import Example
from tutelage.store.disk import full_disk_told, sync_folder, write_file
from tutelage.store.store import Store

USES = "test-uses.jsonl"
ROWS = "test-rows"
SHARED = 0.5  # of the smaller file's rows, beyond which two files are one test
SCHEMA = 2
ALL = ("system", "user", "assistant", "tool")
SAID = ("user", "prompt", "whole")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the rows of a file ask, as digests: each set by itself may show that two are one test.

    Rows that repeat another count once.
    """

    user: frozenset[str] = frozenset()  # the user's words, whatever blanks, case and answers
    prompt: frozenset[str] = frozenset()  # all that stands before a row's answer
    whole: frozenset[str] = frozenset()  # all that is said in a row
    ids: frozenset[str] = frozenset()  # of the rows
    older: frozenset[str] = frozenset()  # one of the three: schema 1 did not say which

    @property
    def rows(self) -> int:
        """How many differ."""
        return len(self.whole) or len(self.older)

    def same_test(self, other: Asked) -> bool:
        """Whether most of the smaller file's rows are asked in both.

        Where the user says the same in most rows, all that stands before their answers tells them
        apart; where that is the same, too, all that stands in them does.
        """
        most = SHARED * min(self.rows, other.rows)
        pairs = [(getattr(self, name), getattr(other, name)) for name in SAID]
        for old, new in ((self.older, other), (other.older, self)):
            pairs += [(old, one) for one in (new.user, new.whole, new.ids, new.older)]
        return any(len(mine & theirs) > most for mine, theirs in pairs)


def asked_by(rows: Sequence[Example]) -> Asked:
    """What rows ask."""
    return Asked(
        user=_digests(_folded(row.messages, ("user",)) for row in rows),
        prompt=_digests(_folded(_before_answer(row)) for row in rows),
        whole=frozenset(_digest(_folded(row.messages)) for row in rows),
        ids=frozenset(row.id for row in rows),
    )


def _before_answer(row: Example) -> Sequence[Message]:
    return row.messages[:-1] if row.messages[-1].role == "assistant" else row.messages


def _folded(turns: Sequence[Message], roles: Collection[str] = ALL) -> str:
    """What is said in turns, whatever its case and blanks and however its signs are composed."""
    words = "\n".join(turn.content for turn in turns if turn.role in roles)
    return " ".join(unicodedata.normalize("NFC", words).casefold().split())


def _digests(said: Iterable[str]) -> frozenset[str]:
    return frozenset(map(_digest, filter(None, said)))


def _digest(words: str) -> str:
    return short_digest(words.encode())


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
        rows: Mapping[str, Asked] | None = None,
    ) -> None:
        """Writes down, before anything is asked, which files a model is measured on.

        A model that was measured on a file before uses nothing up. `suites` are the
        digests of the files by the suites' names, `rows` what `asked_by` says of their rows.
        """
        for suite, asked in (rows or {}).items():
            if not self._rows(suites[suite]).exists():
                write_file(self._rows(suites[suite]), _written(asked))
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
        """The files that are the same test as one."""
        mine = self._asked(digest)
        return {digest, *(one for one in others if self._asked(one).same_test(mine))}

    def _asked(self, digest: str) -> Asked:
        """What the rows of a file ask; nothing where it was not kept.

        Raises: StoreError where it cannot be read, or is of a newer schema.
        """
        path = self._rows(digest)
        if path.exists():
            return _read(path)
        older = path.with_suffix(".txt")
        return Asked(older=frozenset(older.read_text().split() if older.exists() else ()))

    def _rows(self, digest: str) -> Path:
        return self.path.parent / ROWS / f"{digest}.json"

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
        _refuse_newer(schema, where)
        return use


def _written(asked: Asked) -> bytes:
    sets = {name: sorted(getattr(asked, name)) for name in (*SAID, "ids")}
    return msgspec.json.encode({"schema": SCHEMA, **sets})


def _read(path: Path) -> Asked:
    where = f"{ROWS}/{path.name}"
    try:
        form = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        _refuse_newer(form.pop("schema"), where)
        return msgspec.convert(form, Asked)
    except (msgspec.MsgspecError, KeyError) as error:
        raise StoreError(
            f"what the rows of a test ask cannot be read: {error}",
            where=where,
            hint="put the file back from a copy, or remove it and evaluate again",
        ) from error


def _refuse_newer(schema: object, where: str) -> None:
    if not isinstance(schema, int) or schema > SCHEMA:
        raise StoreError(
            f"written by a newer tutelage: schema {schema}, this one reads {SCHEMA}",
            where=where,
            hint="upgrade tutelage",
        )
