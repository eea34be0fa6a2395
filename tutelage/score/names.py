"""Scorers by name: what each is called, the option it may take, and how it is made."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tutelage.score.call import Call
from tutelage.score.choice import Choice
from tutelage.score.cost import Cost
from tutelage.score.exact import Exact
from tutelage.score.fields import Fields
from tutelage.score.grounded import Grounded
from tutelage.score.instructions import Instructions
from tutelage.score.number import Number
from tutelage.score.options import HeldOut, Options
from tutelage.score.overlap import TOKENIZERS, Bleu, Chrf
from tutelage.score.refusal import OverRefusal, Refusal
from tutelage.score.rouge import Rouge
from tutelage.score.schema import JsonText
from tutelage.score.squad import Squad
from tutelage.score.task import Scorer
from tutelage.score.twins import Twins


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A scorer by name: how it is made of its option, None without one."""

    make: Callable[[str | None], Scorer] | None  # None: of more than its name
    option: str = ""  # what may follow the colon, in words; empty where nothing may
    options: tuple[str, ...] = ()  # all there are, where they are counted


def _plain(kind: Callable[[], Scorer]) -> Named:
    return Named(make=lambda option: kind())


def _switch(kind: Callable[[bool], Scorer], option: str) -> Named:
    return Named(make=lambda given: kind(given is not None), option=option, options=(option,))


SCORERS: Mapping[str, Named] = {
    "json": _plain(JsonText),
    "schema": Named(make=None),
    "call": _switch(Call, "ordered"),
    "choice": Named(make=Choice, option="LABEL"),
    "exact": _plain(Exact),
    "squad": _plain(Squad),
    "bleu": Named(make=Bleu, option="TOKENIZER", options=TOKENIZERS),
    "chrf": _switch(Chrf, "words"),
    "rouge": _switch(Rouge, "stem"),
    "grounded": Named(make=Grounded, option="FIELD"),
    "number": _switch(Number, "last"),
    "instructions": _plain(Instructions),
    "fields": Named(
        make=lambda option: Fields(option.split(",") if option else ()), option="NAME,NAME"
    ),
    "refusal": Named(make=Refusal, option="FIELD=VALUE"),
    "over_refusal": Named(make=OverRefusal, option="FIELD=VALUE"),
    "twins": Named(make=Twins, option="FIELD=VALUE"),
    "cost": _plain(Cost),
    "code": Named(make=None),
    "choices": _plain(Options),
    "text": _plain(HeldOut),
}
NAMES = tuple(SCORERS)


def make(name: str) -> Scorer:
    """The scorer of a name that has no problem and needs no more than its option."""
    kind, colon, option = name.partition(":")
    named = SCORERS[kind]
    if named.make is None:
        raise ValueError(f"scorer `{kind}` is made of more than its name")
    return named.make(option if colon else None)


def problem_of(name: str) -> str:
    """Why a recipe cannot name a scorer so, empty where it can."""
    kind, colon, option = name.partition(":")
    if kind not in SCORERS:
        return f"there is no scorer `{kind}`{nearest(kind, NAMES)}"
    known = SCORERS[kind]
    if not colon:
        return ""
    if not known.option:
        able = ", ".join(
            f"`{one}:{named.option}`" for one, named in SCORERS.items() if named.option
        )
        return f"scorer `{kind}` takes no `:{option}`; only {able} do"
    if not option:
        return (
            f"`{kind}:` has nothing after its colon; expected `{kind}` or `{kind}:{known.option}`"
        )
    if known.options and option not in known.options:
        return f"scorer `{kind}` has no option `{option}`{nearest(option, known.options)}"
    if known.option == "FIELD=VALUE" and not all(option.partition("=")):
        return f"`{name}` names no value; expected `{kind}:FIELD=VALUE`"
    if known.option == "NAME,NAME" and not all(option.split(",")):
        return f"`{name}` has an empty name; expected `{kind}:{known.option}`"
    return ""


def nearest(name: str, names: Sequence[str]) -> str:
    """What was probably meant, or all that there is."""
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean `{close[0]}`?" if close else f"; there are {', '.join(names)}"
