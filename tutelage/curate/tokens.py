"""How many tokens texts are by a base's tokenizer, without torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tutelage.core.errors import BaseModelError
from tutelage.core.recipe import Curate, Recipe
from tutelage.store.base import BaseFolder, find_base

Count = Callable[[Sequence[str]], list[int]]


def base_of(section: Curate, recipe: Recipe) -> BaseFolder | None:
    """The base whose tokenizer counts, None where the recipe names none.

    Raises: BaseModelError where it is not found.
    """
    return named_base(section.card.tokenizer, recipe, "curate.card.tokenizer")


def named_base(name: str | None, recipe: Recipe, where: str) -> BaseFolder | None:
    """The base a key of the card names, None where it names none.

    Raises: BaseModelError where it is not found, telling the key.
    """
    if name is None:
        return None
    try:
        return find_base(name, recipe.base_dir)
    except BaseModelError as error:
        raise BaseModelError(
            error.message,
            where=where,
            expected=error.expected,
            hint=error.hint.replace("train.base", where),
        ) from error


def counter(base: BaseFolder) -> Count:
    """Counts the tokens of texts; the contract's markers around them are not among them.

    Raises: BaseModelError where the base has no tokenizer, or the library is not installed.
    """
    try:
        from tutelage.render.tokenizer import read_tokenizer
    except ImportError as error:
        raise BaseModelError(
            "tokens cannot be counted: tokenizers is not installed",
            where="curate.card.tokenizer",
            hint="pip install 'tutelage[train]', or leave the key out",
        ) from error
    tokenizer = read_tokenizer(base).tokenizer

    def count(texts: Sequence[str]) -> list[int]:
        whole = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [len(one.ids) for one in whole]

    return count


def whole_sum(counts: Sequence[int], rows: int) -> tuple[float, float, float]:
    """The sum over all rows that those of a sample tell, with its 95 % interval.

    Source: the normal interval of a sum drawn without replacement.
    """
    n = len(counts)
    mean = math.fsum(counts) / n
    if n >= rows or n < 2:
        return mean * rows, mean * rows, mean * rows
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in counts) / (n - 1))
    half = 1.96 * spread / math.sqrt(n) * math.sqrt(1 - n / rows)
    return mean * rows, (mean - half) * rows, (mean + half) * rows
