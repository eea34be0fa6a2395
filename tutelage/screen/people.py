"""Names of people as keys of rows: the key of pseudonyms, and a name's pseudonym."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Sequence

from tutelage.core.errors import RecipeError
from tutelage.core.recipe import Recipe, Screen
from tutelage.screen.screener import pseudonym
from tutelage.store.artifact import Artifact
from tutelage.store.ingest import file_of

WHERE = "curate.screen"
KEY_BYTES = 16  # at least; a shorter key can be tried out


def key_of(section: Screen, recipe: Recipe) -> bytes:
    """The key of pseudonyms, empty where none is asked for.

    Raises: RecipeError for a key that is not there, or too short.
    """
    if section.key_env is not None:
        return key_in(section.key_env)
    if section.key_file is not None:
        written = file_of(section.key_file, recipe).read_bytes().strip()
        return _long(written, section.key_file)
    return b""


def key_in(variable: str, place: str = WHERE) -> bytes:
    """The key an environment variable holds.

    Raises: RecipeError if it is not there, or too short.
    """
    written = os.environ.get(variable, "").encode(errors="surrogateescape")
    return _long(written, f"environment variable {variable}", place)


def keys_in(variable: str) -> list[bytes]:
    """The keys an environment variable holds, each on a line.

    Raises: RecipeError if one is too short.
    """
    lines = os.environ.get(variable, "").encode(errors="surrogateescape").split(b"\n")
    return [_long(line, f"environment variable {variable}") for line in lines if line]


def _long(written: bytes, holder: str, place: str = WHERE) -> bytes:
    if len(written) < KEY_BYTES:
        what = "pseudonyms" if place == WHERE else "reviews"
        raise RecipeError(
            f"the key of {what} in {holder} has {len(written)} bytes",
            where=place,
            expected=f"{KEY_BYTES} bytes or more",
            hint="make one with `openssl rand -hex 32`, and keep it out of the recipe",
        )
    return written


def mark(key: bytes) -> str:
    """What tells two keys apart without telling either."""
    told = hmac.new(key, b"tutelage: which key", hashlib.sha256) if key else None
    return told.hexdigest()[:16] if told else ""


def under_other_key(datasets: Iterable[Artifact], keys: Sequence[bytes]) -> list[Artifact]:
    """The datasets whose people have pseudonyms by a key that is none of these."""
    known = {mark(key) for key in keys}
    return [
        one
        for one in datasets
        if one.manifest.section.get("people") == "pseudonymise"
        and one.manifest.section["screen"]["key"] not in known
    ]


def disguised(name: str, key: bytes) -> str:
    """The pseudonym of somebody's name; the same in every dataset made with the key."""
    return pseudonym("person", name, key)
