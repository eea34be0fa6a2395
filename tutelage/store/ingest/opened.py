"""A file as a stream of bytes: plain, gzip or zstd, told by its first bytes."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from tutelage.core.errors import RowError

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
MARK = b"\xef\xbb\xbf"  # the byte order mark some editors put before UTF-8
SIXTEEN = (b"\xff\xfe", b"\xfe\xff")
PACKED = (".gz", ".zst")
CHUNK = 1 << 20


def plain_suffix(path: Path) -> str:
    """The suffix of a file's name without that of its compression."""
    name = path.name
    for ending in PACKED:
        name = name.removesuffix(ending)
    return Path(name).suffix.lower()


@contextmanager
def opened(path: Path, name: str) -> Iterator[io.BufferedReader]:
    """The bytes of a text file, unpacked as they are read and without a byte order mark.

    Raises: RowError that says `name` where it cannot be read, is cut off, or is UTF-16.
    """
    try:
        with path.open("rb") as raw:
            stream = _unpacked(path, raw)
            begin = stream.peek(4)
            if begin.startswith(SIXTEEN):
                raise RowError(
                    "the file is UTF-16; expected UTF-8",
                    where=name,
                    hint=f"iconv -f UTF-16 -t UTF-8 {name} > utf8{plain_suffix(path)}",
                )
            if begin.startswith(MARK):
                stream.read(len(MARK))
            yield stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _damaged("gzip", error, name) from error
    except OSError as error:
        if error.strerror is None:  # no fault of the system's: the unpacker's
            raise _damaged("zstd", error, name) from error
        raise RowError(f"cannot be read: {error.strerror}", where=name) from error


def _unpacked(path: Path, raw: BinaryIO) -> io.BufferedReader:
    begin = cast(io.BufferedReader, raw).peek(4)
    if begin.startswith(GZIP):
        return io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=raw)), CHUNK)
    if begin.startswith(ZSTD):
        import pyarrow as pa  # has zstd on board; most files do not need it

        return io.BufferedReader(pa.input_stream(str(path), compression="zstd"), CHUNK)
    return cast(io.BufferedReader, raw)


def _damaged(kind: str, error: Exception, name: str) -> RowError:
    return RowError(
        f"the {kind} file is damaged or cut off: {error}",
        where=name,
        hint="fetch or make it again: rows may be missing",
    )
