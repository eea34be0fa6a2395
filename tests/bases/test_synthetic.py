"""Invented tasks: every value is copied from its request, and a number names its document."""

import json
from random import Random

import pytest

from tutelage.bases.calls import conversation, gathered, instruction, menu, refusal, written
from tutelage.bases.copying import TASKS, exercise
from tutelage.bases.spans import Bank
from tutelage.bases.synthetic import invention
from tutelage.bases.worlds import Request, request, world

BANK = Bank(
    names=("Ada Byron", "Lisbon", "Saint Peter"),
    titles=("The Tempest", "R&B Jams", "Zoë"),
    words=("the", "quick", "brown", "fox", "went", "over", "a", "small", "hill", "at", "dawn"),
    sentences=("We saw 3 ships near Dover.", "nothing of note happened here today"),
)
ASKED = Request(
    text="call Ada and Bo at 5",
    function="Call",
    filled=(("who", "Ada"), ("who", "Bo"), ("hour", "5")),
    pieces=(
        ("call ", ""),
        ("Ada", "who"),
        (" and ", ""),
        ("Bo", "who"),
        (" at ", ""),
        ("5", "hour"),
    ),
)


@pytest.mark.parametrize("natural", [True, False])
def test_every_value_is_said_word_for_word(natural: bool) -> None:
    for seed in range(150):
        draw = Random(seed)
        for function in world(BANK, draw, count=3, natural=natural):
            asked = request(BANK, function, draw)
            assert "".join(piece for piece, _ in asked.pieces) == asked.text == asked.text.strip()
            assert {slot for slot, _ in asked.filled} <= {slot.name for slot in function.slots}
            assert all(text and text in asked.text for _, text in asked.filled)


def test_a_slot_said_twice_becomes_a_list() -> None:
    assert gathered(ASKED.filled) == {"who": ["Ada", "Bo"], "hour": "5"}


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("call", '{"name": "Call", "arguments": {"who": ["Ada", "Bo"], "hour": "5"}}'),
        ("flat", '{"intent": "Call", "who": ["Ada", "Bo"], "hour": "5"}'),
        ("slots", '{"intent": "Call", "slots": {"who": ["Ada", "Bo"], "hour": "5"}}'),
        ("python", 'Call(who=["Ada", "Bo"], hour="5")'),
        ("lines", "Call\nwho: Ada\nwho: Bo\nhour: 5"),
        ("pairs", '[["who", "Ada"], ["who", "Bo"], ["hour", "5"]]'),
        ("marked", "call [who: Ada] and [who: Bo] at [hour: 5]"),
        ("label", "Call"),
        ("intent", '{"intent": "Call"}'),
    ],
)
def test_an_answer_takes_the_shape_asked_for(shape: str, expected: str) -> None:
    assert written(ASKED, shape) == expected


def test_arguments_can_follow_the_functions_own_order() -> None:
    answer = json.loads(written(ASKED, "call", ("hour", "who")))
    assert list(answer["arguments"]) == ["hour", "who"]


def test_a_refusal_has_the_shape_of_an_answer() -> None:
    assert refusal("call", "none") == '{"name": "none", "arguments": {}}'


def test_the_menu_names_every_function() -> None:
    for seed in range(40):
        draw = Random(seed)
        functions = world(BANK, draw, count=3, natural=True)
        shown = menu(functions, draw, "call")
        assert all(function.name in shown for function in functions)


def test_instructions_are_worded_afresh() -> None:
    assert len({instruction(Random(seed), "call") for seed in range(200)}) > 150


@pytest.mark.parametrize("task", [task for task, _, _ in TASKS])
def test_a_copying_task_asks_and_answers(task: object) -> None:
    assert callable(task)
    for seed in range(30):
        pair = task(BANK, Random(seed))
        asked, answered = pair()
        assert asked
        assert isinstance(answered, str)


def test_documents_are_chats_closed_by_the_stop_token() -> None:
    for make in (conversation, exercise):
        text = make(BANK, Random(5))
        assert text.startswith("<|im_start|>")
        assert text.endswith("<|im_end|>\n")
        assert text.count("<|im_start|>") == text.count("<|im_end|>")


def test_a_number_names_its_document() -> None:
    assert invention(BANK, 7, 3) == invention(BANK, 7, 3)
    assert len({invention(BANK, 7, number) for number in range(50)}) == 50
