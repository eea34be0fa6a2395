"""Recipes from files: every fault at once, each with `file:line:column` and the nearest key."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tutelage.core.errors import BadRow, RecipeError, UsageError
from tutelage.core.recipe.positions import Document, Loc, dotted, is_mapping, read
from tutelage.core.recipe.whole import Recipe


def load(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of a file, with `--set` overrides such as `train.epochs=2`.

    Raises: RecipeError with every fault as a row; UsageError for an override that
        is not `key=value`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(
            "there is no such recipe", where=str(path), hint="`tutelage init` writes one"
        ) from None
    except IsADirectoryError:
        raise RecipeError("this is a folder; expected a YAML file", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"not UTF-8 at byte {error.start}", where=str(path), hint="save it as UTF-8"
        ) from error
    except OSError as error:
        raise RecipeError(f"cannot be read: {error.strerror}", where=str(path)) from error
    return loads(text, name=str(path), overrides=overrides).at(path.parent)


def loads(text: str, *, name: str = "recipe", overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of a text; `name` stands for the file in errors."""
    document = read(text, name)
    if not is_mapping(document.content):
        raise RecipeError(
            "a recipe is a mapping", where=name, expected="`name: ...`, `train: ...` and so on"
        )
    given = {_set(document.content, override): override for override in overrides}
    reporter = _Reporter(document=document, name=name, given=given)
    try:
        recipe = Recipe.model_validate(document.content)
    except ValidationError as error:
        raise reporter.error(reporter.rows(error.errors())) from None
    found = sorted(recipe.contradictions(), key=lambda one: reporter.order(one[0]))
    rows = [reporter.bad(loc, problem) for loc, problem in found]
    if rows:
        raise reporter.error(rows)
    return recipe


def resolved(recipe: Recipe) -> str:
    """The recipe as YAML with every default written out; loading it gives the same recipe."""
    content = recipe.model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def json_schema() -> dict[str, Any]:
    """JSON Schema of a recipe, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Recipe.model_json_schema(),
    }


def _set(content: dict[str, Any], override: str) -> Loc:
    """Writes one override into the content; returns its place."""
    key, equals, value = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise UsageError(
            f"`--set {override}` is not an override", expected="`--set key=value`, keys dotted"
        )
    try:
        parsed = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError) as error:  # a ValueError is a date that is none
        raise UsageError(f"the value of `--set {override}` is not YAML: {error}") from error
    except RecursionError:
        raise UsageError(f"the value of `--set {key}` is nested too deeply") from None
    loc: Loc = ()
    spot: Any = content
    for depth, part in enumerate(parts):
        step = _step(spot, part, override)
        loc = (*loc, step)
        if depth == len(parts) - 1:
            spot[step] = parsed
        elif isinstance(spot, dict):
            inside = spot.get(part)
            spot[part] = inside if isinstance(inside, dict | list) else {}
            spot = spot[part]
        else:
            spot = spot[step]
    return loc


def _step(spot: object, part: str, override: str) -> str | int:
    if isinstance(spot, dict):
        return part
    if isinstance(spot, list) and part.isdigit() and int(part) < len(spot):
        return int(part)
    raise UsageError(
        f"`--set {override}`: there is no `{part}`",
        expected=f"a number under {len(spot)}" if isinstance(spot, list) else "a section",
    )


class _Reporter:
    """Turns pydantic's findings into rows a user can act on."""

    def __init__(self, *, document: Document, name: str, given: dict[Loc, str]) -> None:
        self.document = document
        self.name = name
        self.given = given

    def error(self, rows: list[BadRow]) -> RecipeError:
        """The error of all faults together."""
        faults = "1 fault" if len(rows) == 1 else f"{len(rows)} faults"
        return RecipeError(
            f"{self.name} has {faults}",
            rows=rows,
            hint="`tutelage schema` prints every key with its meaning",
        )

    def rows(self, details: list[ErrorDetails]) -> list[BadRow]:
        """Pydantic's findings as rows in the file's order, one for each place."""
        found: dict[Loc, list[ErrorDetails]] = {}
        for detail in self._meant(details) or details:
            found.setdefault(self._written(detail["loc"]), []).append(detail)
        places = [
            loc
            for loc, kinds in found.items()
            # a list of which every item is at fault also counts as too short: noise
            if kinds[0]["type"] != "too_short" or not any(o[: len(loc)] == loc != o for o in found)
        ]
        places.sort(key=self.order)
        return [
            self.bad(loc, _either(dict.fromkeys(_problem(loc, one) for one in found[loc])))
            for loc in places
        ]

    def order(self, loc: Loc) -> tuple[int, int]:
        """Where `loc` stands in the file, to sort by."""
        place = self.document.place(loc)
        return (place.line, place.column) if place else (0, 0)

    def bad(self, loc: Loc, problem: str) -> BadRow:
        """A row at the place of `loc`."""
        for length in range(len(loc), 0, -1):
            if loc[:length] in self.given:
                return BadRow(where=f"--set {self.given[loc[:length]]}", problem=problem)
        place = self.document.place(loc)
        at = f":{place.line}:{place.column}" if place else ""
        return BadRow(where=f"{self.name}{at}", problem=problem)

    def _meant(self, details: list[ErrorDetails]) -> list[ErrorDetails]:
        """Of what pydantic finds in each arm of a union, what it finds in the arm that is meant:
        a section where keys are written, a list where items are. Else all of it.
        """
        meant = []
        for detail in details:
            loc = detail["loc"]
            depth, arms = _union(loc)
            likely = [arm for arm in arms if _is_like(arm, self._value(loc[:depth]))]
            if not likely or any(_label(arm) == loc[depth] for arm in likely):
                meant.append(detail)
        return meant

    def _has(self, loc: Loc) -> bool:
        return loc[-1] in self._value(loc[:-1])

    def _value(self, loc: Loc) -> Any:
        value: Any = self.document.content
        for part in loc:
            value = value[part]
        return value

    def _written(self, loc: Loc) -> Loc:
        """`loc` without the names pydantic adds for the arms of a union."""
        written: Loc = ()
        model: Any = Recipe
        for part in loc:
            if len(_arms(model)) > 1:
                model = next((one for one in _arms(model) if _label(one) == part), None)
                continue
            inner = _inside(model, part)
            if get_origin(model) is Mapping and self._has((*written, part)):
                written, model = (*written, part), None  # a key of the user's own
                continue
            if inner is None and isinstance(part, str) and not _sections(model):
                break
            written, model = (*written, part), inner
        return written


def _either(problems: Iterable[str]) -> str:
    """What is wrong with one place, whichever of several kinds was meant."""
    first, *others = problems
    lead, expected, _ = first.partition(": expected ")
    lead += expected
    if not others or not all(one.startswith(lead) for one in others):
        return " or ".join((first, *others))
    _, comma, found = first.rpartition(", found ")
    found = comma + found if comma else ""
    kinds = (one.removeprefix(lead).removesuffix(found) for one in (first, *others))
    return lead + " or ".join(kinds) + found


def _problem(loc: Loc, detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        known = _keys_at(Recipe, loc[:-1])
        nearest = difflib.get_close_matches(str(loc[-1]), known, n=1)
        ask = f"did you mean `{nearest[0]}`?" if nearest else f"known: {', '.join(known)}"
        return f"unknown key `{dotted(loc)}`; {ask}"
    if kind == "missing":
        return f"`{dotted(loc)}` is missing"
    if kind == "too_short":
        return f"`{dotted(loc)}`: expected at least one item, found none"
    if kind == "string_pattern_mismatch":
        pattern = detail["ctx"]["pattern"]
        found = f"`{detail['input']}`"
        return f"`{dotted(loc)}`: expected text that matches `{pattern}`, found {found}"
    message = detail["msg"].removeprefix("Value error, ")
    if not message.startswith("Input should "):
        return f"`{dotted(loc)}`: {message[:1].lower()}{message[1:]}"
    expected = message.removeprefix("Input should ").removeprefix("be ")
    expected = expected.replace("a valid tuple", "a list")
    expected = re.sub("a valid dictionary( or instance of .*)?", "keys and values", expected)
    given = detail["input"]
    found = f", found `{given}`" if isinstance(given, str | int | float) else ""
    return f"`{dotted(loc)}`: expected {expected}{found}"


def _union(loc: Loc) -> tuple[int, tuple[Any, ...]]:
    """How far along `loc` its first union stands, and the arms of it."""
    model: Any = Recipe
    for depth, part in enumerate(loc):
        if len(_arms(model)) > 1:
            return depth, _arms(model)
        model = _inside(model, part)
    return len(loc), ()


def _label(arm: Any) -> str:
    """What pydantic calls an arm of a union; of a section or a list only."""
    return arm.__name__ if _sections(arm) else str(arm)


def _is_like(arm: Any, value: object) -> bool:
    """Whether an arm is of the value's shape: keys, or items."""
    if isinstance(value, dict):
        return bool(_sections(arm))
    return isinstance(value, list) and get_origin(arm) is tuple


def _keys_at(model: Any, loc: Loc) -> list[str]:
    for part in loc:
        model = _inside(model, part)
    return [name for section in _sections(model) for name in section.model_fields]


def _inside(model: Any, part: str | int) -> Any:
    """The annotation of what stands at `part` inside the annotation `model`."""
    for arm in _arms(model):
        if isinstance(part, str) and isinstance(arm, type) and issubclass(arm, BaseModel):
            known = arm.model_fields.get(part)
            return known.annotation if known else None
        if isinstance(part, int) and get_origin(arm) is tuple:
            return get_args(arm)[0]
    return None


def _sections(model: Any) -> list[type[BaseModel]]:
    return [arm for arm in _arms(model) if isinstance(arm, type) and issubclass(arm, BaseModel)]


def _arms(model: Any) -> tuple[Any, ...]:
    """What a value may be, besides nothing."""
    if get_origin(model) not in (Union, UnionType):
        return (model,)
    return tuple(arm for arm in get_args(model) if arm is not NoneType)


def schema_text() -> str:
    """`json_schema` as indented JSON."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
