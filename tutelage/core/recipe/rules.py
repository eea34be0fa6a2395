"""A line of a recipe that is a rule."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from tutelage.core.errors import RuleError
from tutelage.core.rule import parse


def _is_rule(line: str) -> str:
    try:
        parse(line)
    except RuleError as error:
        raise ValueError(f"{error.message} at {error.where}; expected {error.expected}") from error
    return line


Line = Annotated[str, AfterValidator(_is_rule)]
