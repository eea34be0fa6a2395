"""A model as it is when it is served, while it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def as_served(module: nn.Module) -> Iterator[None]:
    """Switches off what only training does, and on again what was on."""
    trained = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in trained:
            part.training = True
