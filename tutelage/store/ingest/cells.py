"""Cells of Parquet and Arrow columns as the JSON values they stand for, each by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tutelage.core.ledger import Reason
from tutelage.store.ingest.fault import Fault

NANOS = 1000  # in a microsecond, the least that Python's times tell


def cells_of(column: pa.Array) -> Iterator[Any]:
    """The Python values of a column, in order; a Fault in the place of one that has none."""
    together = None if holds(column.type, _of_nanos) else _together(column)
    yield from map(_alone, column) if together is None else together


def _together(column: pa.Array) -> list[Any] | None:
    """The values of all its cells at once, None where there is one that has none."""
    maps = "strict" if holds(column.type, pa.types.is_map) else None
    try:
        found: list[Any] = column.to_pylist(maps_as_pydicts=maps)
    except (ValueError, OverflowError, KeyError):
        return None
    return found


def _alone(scalar: pa.Scalar) -> Any:
    try:
        return _plain(scalar)
    except Fault as fault:
        return fault


def value_of(cell: Any, where: str) -> Any:
    """The JSON value a cell stands for.

    Raises: Fault for what JSON cannot say.
    """
    if isinstance(cell, Fault):
        raise Fault(cell.reason, f"column `{where}` {cell.message}")
    if isinstance(cell, float) and not math.isfinite(cell):
        raise Fault(Reason.WRONG_TYPE, f"column `{where}` is {cell}; expected a finite number")
    if cell is None or isinstance(cell, str | bool | int | float):
        return cell
    if isinstance(cell, dict):
        return {
            key: value_of(inner, f"{where}.{key}" if where else key) for key, inner in cell.items()
        }
    if isinstance(cell, list):
        return [value_of(inner, where) for inner in cell]
    for kind, said in SAID.items():
        if isinstance(cell, kind):
            return said(cell)
    raise Fault(
        Reason.WRONG_TYPE, f"column `{where}` is of type {type(cell).__name__}; expected text"
    )


SAID: dict[type, Callable[[Any], str]] = {  # a day of a calendar is text in JSON
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: str,
    Decimal: str,
}


def holds(kind: pa.DataType, test: Callable[[pa.DataType], bool]) -> bool:
    """Whether a type, or one inside it, is of a kind."""
    return test(kind) or any(
        holds(kind.field(index).type, test) for index in range(kind.num_fields)
    )


def _of_nanos(kind: pa.DataType) -> bool:
    times = (pa.types.is_timestamp, pa.types.is_time64, pa.types.is_duration)
    return any(one(kind) for one in times) and kind.unit == "ns"


def _plain(scalar: pa.Scalar) -> Any:
    """The Python value of a cell.

    Raises: Fault where it has none.
    """
    if not scalar.is_valid:
        return None
    if isinstance(scalar, pa.StructScalar):
        return {name: _plain(inner) for name, inner in scalar.items()}
    if isinstance(scalar, pa.DictionaryScalar):
        return _plain(scalar.value)
    if isinstance(scalar, pa.MapScalar):
        return _map(scalar)
    if isinstance(scalar, pa.ListScalar):
        return [_plain(inner) for inner in scalar.values]
    if _of_nanos(scalar.type):
        return _to_the_nano(scalar)
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        raise Fault(Reason.INVALID_ENCODING, "is not UTF-8") from None
    except (ValueError, OverflowError, KeyError) as error:
        raise Fault(Reason.WRONG_TYPE, _untold(scalar.type, error)) from None


def _untold(kind: pa.DataType, error: Exception) -> str:
    """Why a cell has no value."""
    if pa.types.is_timestamp(kind) and kind.tz:
        try:
            pa.scalar(0, kind).as_py()
        except (ValueError, KeyError):
            return f"has the time zone `{kind.tz}`, which is not known here"
    return f"is no {kind} that can be told: {error}"


def _map(scalar: pa.MapScalar) -> dict[Any, Any]:
    keys, values = (scalar.values.field(place) for place in (0, 1))
    found: dict[Any, Any] = {}
    for key, value in zip(map(_plain, keys), map(_plain, values), strict=True):
        if key in found:
            raise Fault(Reason.UNKNOWN_FIELD, f"has the key `{key}` twice")
        found[key] = value
    return found


def _to_the_nano(scalar: pa.Scalar) -> str:
    """A time as text; its nanoseconds stand behind its microseconds, where it has any."""
    kind = scalar.type
    if pa.types.is_timestamp(kind):
        less = pa.timestamp("us", kind.tz)
    else:
        less = pa.time64("us") if pa.types.is_time64(kind) else pa.duration("us")
    micros, nanos = divmod(scalar.value, NANOS)
    found = _plain(pa.scalar(micros, less))
    if not nanos:
        return str(value_of(found, ""))
    if isinstance(found, timedelta):
        whole, _, digits = str(found).partition(".")
        return f"{whole}.{digits or '000000'}{nanos:03}"
    bare = found.replace(tzinfo=None)
    zone = found.isoformat()[len(bare.isoformat()) :]
    return f"{bare.isoformat(timespec='microseconds')}{nanos:03}{zone}"
