"""Names made from content: canonical JSON and the digests of values and files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec
import xxhash

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

CHUNK_BYTES = 1 << 20


def canonical(value: object) -> bytes:
    """Compact UTF-8 JSON with object keys sorted: equal values give equal bytes."""
    return msgspec.json.encode(value, order="sorted")


def short_digest(content: bytes) -> str:
    """xxh3-128 of the bytes, 32 hexadecimal digits. Names rows; not for security."""
    return xxhash.xxh3_128_hexdigest(content)


def ids_digest(ids: Sequence[int]) -> str:
    """xxh3-128 of token ids: names a prompt, where it is measured and where it is served."""
    return short_digest(canonical(tuple(ids)))


def strong_digest(value: object) -> str:
    """SHA-256 of the value's canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
