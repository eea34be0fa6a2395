"""The systems a recipe asks for, each with what stands in its prompt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tutelage.core.conversation import Conversation, Message
from tutelage.core.errors import RecipeError
from tutelage.core.recipe import Evaluate, Prompted
from tutelage.core.row import Example
from tutelage.core.systems import LADDER, TUNED, SystemName
from tutelage.evaluate.ladder import System, choose_shots
from tutelage.store.run import Run

SHOTS = "evaluate.few_shot"


def systems_of(
    section: Evaluate, names: Iterable[SystemName], rows: Sequence[Example], run: Run
) -> list[System]:
    """These systems, the untuned before the tuned, so that weights are opened once.

    Raises: RecipeError where a prompt's file cannot be read.
    """
    wanted = set(names)
    ordered = [name for name in LADDER if name in wanted]
    return [_system(name, section, rows, run) for name in ordered]


def asked_systems(section: Evaluate) -> list[SystemName]:
    """The names of those evaluation asks."""
    return [*section.baselines, TUNED]


def _system(name: SystemName, section: Evaluate, rows: Sequence[Example], run: Run) -> System:
    prompt = section.constrained_prompt if name == "constrained" else name
    if prompt == "few_shot":
        return System(name=name, shots=_few_shots(name, section, rows, run), prompt=prompt)
    if prompt == "prompted" and section.prompted is not None:
        written = section.prompted
        turns = tuple(
            Conversation(
                messages=(
                    Message(role="user", content=one.user),
                    Message(role="assistant", content=one.assistant),
                )
            )
            for one in written.turns
        )
        return System(name=name, shots=turns, instruction=_instruction(written, run), prompt=prompt)
    return System(name=name)


def _few_shots(
    name: SystemName, section: Evaluate, rows: Sequence[Example], run: Run
) -> tuple[Example, ...]:
    shots = choose_shots(rows, section.few_shot_examples, run.generator(SHOTS))
    if len(shots) < section.few_shot_examples:
        run.progress.warn(f"{name} has {len(shots)} examples: the training split has no more")
    return shots


def _instruction(written: Prompted, run: Run) -> str | None:
    if written.path is None:
        return written.text
    where = "evaluate.prompted.path"
    try:
        text = run.recipe.path(written.path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"`{written.path}` cannot be read",
            where=where,
            expected="a UTF-8 text file",
            hint="paths are relative to the recipe",
        ) from error
    if not text.strip():
        raise RecipeError(f"`{written.path}` is empty", where=where, expected="a text")
    return text.strip()
