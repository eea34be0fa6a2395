"""Tests that run programs shut in need a kernel that can; elsewhere the sandbox itself refuses."""

from __future__ import annotations

import pytest

from tutelage.core.errors import MissingCapability
from tutelage.sandbox.box import Box


def _lacking() -> str:
    try:
        with Box():
            return ""
    except MissingCapability as error:
        return error.message


LACKING = _lacking()
needs_confinement = pytest.mark.skipif(bool(LACKING), reason=LACKING)
