from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.evaluate.fakes import FakeContract, call, example
from tutelage.core.conversation import Message
from tutelage.core.recipe import Decoding
from tutelage.core.row import Example, Source
from tutelage.evaluate.ladder import System, ask, choose_shots, conversation
from tutelage.score.task import tasks_of


def shots(*pairs: tuple[str, str], split: str = "train") -> list[Example]:
    return [example(said, answer, split=split) for said, answer in pairs]


def choose(examples: list[Example], count: int, seed: int = 0) -> tuple[Example, ...]:
    return choose_shots(examples, count, np.random.default_rng(seed))


def test_examples_come_from_the_training_split_alone() -> None:
    held = shots(("a", call("A")), ("b", call("B")), split="validation")
    taught = shots(("c", call("C")))
    assert choose([*held, *taught], 4) == tuple(taught)


def test_a_preference_pair_is_no_example_of_an_answer() -> None:
    taught = shots(("c", call("C")))
    asked, good, bad = (Message(role=role, content="x") for role in ("user", *["assistant"] * 2))
    pair = replace(taught[0], id="", messages=(asked,), chosen=(good,), rejected=(bad,))
    assert choose([pair, *taught], 4) == tuple(taught)


def test_every_kind_of_answer_has_one_example_before_any_has_two() -> None:
    many = shots(*[(f"play {number}", call("Play", artist=str(number))) for number in range(30)])
    few = shots(("rain", call("Rain")), ("book", call("Book")))
    for seed in range(5):
        chosen = choose([*many, *few], 3, seed)
        assert {one.messages[-1].content[:12] for one in chosen} == {
            '{"name": "Pl',
            '{"name": "Ra',
            '{"name": "Bo',
        }
    labels = shots(*[(f"q{number}", "yes" if number else "no") for number in range(20)])
    assert {one.messages[-1].content for one in choose(labels, 2)} == {"yes", "no"}


def test_the_choice_of_examples_hangs_on_the_seed_alone() -> None:
    many = shots(*[(f"play {number}", call("Play", artist=str(number))) for number in range(30)])
    assert choose(many, 4) == choose(many, 4)
    assert choose(many, 4) != choose(many, 4, seed=1)


def test_examples_stand_before_the_request_and_under_the_tasks_system_prompt() -> None:
    turns = [("system", "Be brief."), ("user", "hello"), ("assistant", "hi")]
    row = Example(
        messages=tuple(Message(role=role, content=words) for role, words in turns),  # type: ignore[arg-type]
        origin="human",
        licence="CC0-1.0",
        source=Source(uri="t", line=1),
    )
    (task,) = tasks_of("s", [row])
    shot = Example(
        messages=(
            Message(role="system", content="Be long."),
            Message(role="user", content="bye"),
            Message(role="assistant", content="so long", train=False),
        ),
        origin="human",
        licence="CC0-1.0",
        source=Source(uri="t", line=2),
    )
    said = conversation(task, [shot]).messages
    assert [turn.content for turn in said] == ["Be brief.", "bye", "so long", "hello"]
    assert said[2].train is None


def test_a_task_has_as_many_examples_as_fit_beside_the_answer() -> None:
    tasks = tasks_of("s", [example("x" * 10, "a"), example("y" * 60, "a"), example("z" * 95, "a")])
    system = System(name="few_shot", shots=tuple(shots(("p" * 10, "q" * 10), ("r" * 10, "s" * 10))))
    contract = FakeContract(context=100, decoding=Decoding(max_new_tokens=10))
    asked = ask(contract, tasks, system)
    assert [one.shots for one in asked] == [2, 1, 0]
    assert [one.task.id for one in asked] == [task.id for task in tasks]
    assert bytes(asked[0].ids).decode().endswith("x" * 10)
    prefix = bytes(asked[1].ids)[:21]
    assert bytes(asked[0].ids).startswith(prefix)


def test_the_digest_of_a_prompt_is_that_of_its_ids() -> None:
    tasks = tasks_of("s", [example("a", "x"), example("b", "x"), example("a", "y")])
    one, two, three = ask(FakeContract(), tasks, System(name="tuned"))
    assert one.digest != two.digest
    assert one.digest == three.digest
