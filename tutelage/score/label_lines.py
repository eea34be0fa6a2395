"""Files of labels, read strictly: a line each, whatever an editor did to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from tutelage.core.errors import BadRow, RowError

Form = TypeVar("Form")
MARK = b"\xef\xbb\xbf"  # of byte order, which some editors put before UTF-8


def label_lines(
    path: Path, uri: str, kind: type[Form], bad: list[BadRow]
) -> Iterator[tuple[int, Form]]:
    """The lines of a file with their numbers, blank ones left out; what is none goes to `bad`."""
    content = path.read_bytes().removeprefix(MARK)
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, msgspec.json.decode(line, type=kind)
        except UnicodeDecodeError as error:
            told = f"it is not UTF-8: {error.reason}"
            bad.append(BadRow(where=f"{uri}:{number}", problem=told))
        except msgspec.MsgspecError as error:
            bad.append(BadRow(where=f"{uri}:{number}", problem=str(error)))


def refuse_bad(bad: Sequence[BadRow]) -> None:
    """Raises: RowError with all lines that are no labels, where there is one."""
    if bad:
        told = f"{len(bad)} row{'s' if len(bad) > 1 else ''} of labels cannot be read"
        raise RowError(told, rows=bad, hint="fix them: labels are taken whole or not at all")
