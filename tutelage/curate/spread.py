"""How far texts lie apart in an encoder's space: from another to word alike, of a seeded sample.

Texts that say the same in other words lie near each other here, which runs of words do not show.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BaseModelError
from tutelage.core.recipe import Curate, Recipe
from tutelage.curate.tokens import named_base
from tutelage.store.base import BaseFolder

if TYPE_CHECKING:
    from tutelage.engine.encoder import Encoded

WHERE = "curate.card.encoder"
LOOKED_AT = 2048  # rows: a base takes long, and all pairs of them are compared
DIGITS = 4  # behind the point; other machines round the rest otherwise
NEAREST = {"p5": 5, "median": 50, "p95": 95}
AT_ONCE = 512  # rows whose distances to all others are held
Vectors = NDArray[np.float64]
Encode = Callable[[Sequence[str]], "Encoded"]


def encoder_of(section: Curate, recipe: Recipe) -> BaseFolder | None:
    """The base that the recipe names for it, None where it names none.

    Raises: BaseModelError where it is not found, or torch is not installed.
    """
    base = named_base(section.card.encoder, recipe, WHERE)
    if base is not None and importlib.util.find_spec("torch") is None:
        raise BaseModelError(
            "the spread of rows cannot be measured: torch is not installed",
            where=WHERE,
            hint="pip install 'tutelage[train]', or leave the key out",
        )
    return base


def encoding(base: BaseFolder) -> Encode:
    """Texts as a base's vectors; it is opened when it is first asked, and let go thereafter."""

    def encode(texts: Sequence[str]) -> Encoded:
        from tutelage.engine.encoder import Encoder

        return Encoder.open(base).encode(texts)

    return encode


def spread(texts: Sequence[str], rows: int, encode: Encode) -> dict[str, Any]:
    """How far texts of a sample lie apart; `rows` is of how many it was drawn, blank ones too.

    `distance` is the mean over all pairs, `effective_dimensions` how many directions they differ
    in (all of the encoder's where they differ in each alike), `nearest` how far the nearest other
    is. The order of the texts is of no account.
    """
    said = sorted(text for text in texts if text.strip())
    if len(said) < 2:
        return {"texts": len(said), "empty": len(texts) - len(said)}
    encoded = encode(said)
    vectors = unit(encoded.vectors)
    drawn_of = rows * len(said) / len(texts) if len(texts) < rows else len(said)
    mean, low, high = mean_distance(vectors, drawn_of)
    near = np.percentile(nearest(vectors), list(NEAREST.values()))
    return {
        "texts": len(said),
        "empty": len(texts) - len(said),
        "cut": encoded.cut,
        "distance": {"value": _told(mean), "low": _told(low), "high": _told(high)},
        "dimensions": vectors.shape[1],
        "effective_dimensions": _told(effective_dimensions(vectors)),
        "nearest": {name: _told(one) for name, one in zip(NEAREST, near, strict=True)},
    }


def unit(vectors: NDArray[Any]) -> Vectors:
    """Vectors of length 1, those of nothing left as they are. Shapes: `[N, H]`."""
    wide = vectors.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    found: Vectors = wide / np.where(length > 0, length, 1.0)
    return found


def mean_distance(vectors: Vectors, rows: float) -> tuple[float, float, float]:
    """Mean cosine distance of two, with its 95 % interval for the `rows` they were drawn of.

    Source: the jackknife of a U-statistic of two (Arvesen 1969), drawn without replacement.
    """
    n = len(vectors)
    own = vectors @ vectors.sum(axis=0) - (vectors * vectors).sum(axis=1)  # likeness to all others
    whole = float(own.sum())
    mean = 1 - whole / (n * (n - 1))
    if n >= rows or n < 3:
        return mean, mean, mean
    without = 1 - (whole - 2 * own) / ((n - 1) * (n - 2))
    error = np.sqrt((n - 1) * np.mean((without - without.mean()) ** 2) * (1 - n / rows))
    half = 1.96 * float(error)
    return mean, max(mean - half, 0.0), min(mean + half, 2.0)


def effective_dimensions(vectors: Vectors) -> float:
    """The participation ratio of their covariance: 0 where all are one.

    Source: Gao et al. 2017, "A theory of multineuronal dimensionality, dynamics and measurement".
    """
    apart = vectors - vectors.mean(axis=0)
    covariance = apart.T @ apart
    squares = float((covariance**2).sum())
    return float(np.trace(covariance)) ** 2 / squares if squares > 0 else 0.0


def nearest(vectors: Vectors) -> Vectors:
    """The distance of each to the nearest other. Shapes: `[N, H]`, N 2 or more; returns `[N]`."""
    found = np.empty(len(vectors))
    for begin in range(0, len(vectors), AT_ONCE):
        alike = vectors[begin : begin + AT_ONCE] @ vectors.T
        here = np.arange(len(alike))
        alike[here, begin + here] = -np.inf
        found[begin : begin + AT_ONCE] = 1 - alike.max(axis=1)
    return np.maximum(found, 0.0)


def _told(value: float) -> float:
    return round(float(value), DIGITS)
