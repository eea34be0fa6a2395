"""Data sets in shards, such as `train-00000-of-00003.parquet`: all of one, and of one alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from tutelage.core.errors import BadRow, RowError

SHARD = re.compile(r"^(?P<split>.+)-(?P<number>\d{5})-of-(?P<of>\d{5})\b")
NAMED = 20  # missing shards that are named; more are counted


def refuse_in_part(files: Sequence[Path], written: str, meant: Callable[[str], bool]) -> None:
    """Refuses files among which shards are missing, or those of two versions of one data set.

    `meant` says whether a file of a name would be among them: a part that somebody asks for by
    a pattern is whole.

    Raises: RowError that names the shards.
    """
    sets: dict[tuple[Path, str, str], dict[str, dict[str, str]]] = {}
    for one in files:
        if found := SHARD.match(one.name):
            ending = one.name[found.end() :]
            of = sets.setdefault((one.parent, found["split"], ending), {})
            of.setdefault(found["of"], {})[found["number"]] = one.name
    bad: list[BadRow] = []
    for (_, split, ending), of in sorted(sets.items()):
        if len(of) > 1:
            told = " and ".join(f"{len(have):,} of {int(total):,}" for total, have in of.items())
            bad.append(BadRow(where=split, problem=f"shards of two versions: {told}"))
        for total, have in of.items() if len(of) == 1 else ():
            names = [f"{split}-{number:05}-of-{total}{ending}" for number in range(int(total))]
            missing = [name for name in names if name not in have.values() and meant(name)]
            bad += [BadRow(where=name, problem="is missing") for name in missing[:NAMED]]
            if more := len(missing[NAMED:]):
                bad.append(BadRow(where=split, problem=f"{more:,} more shards are missing"))
    if bad:
        raise RowError(
            "the shards are not those of one whole data set",
            where=written,
            rows=bad,
            hint="fetch what is missing, or name those that are meant by a pattern of their own",
        )
