"""Teachers that refuse, echo and say odd things: what is dropped, and of what people are warned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.detector import answering, names
from tests.score.judges import serving
from tests.score.teachers import PLANTED, SYSTEM, Planted, Teacher, project, said
from tutelage.core.conversation import Message
from tutelage.core.errors import MissingCapability
from tutelage.core.recipe import load
from tutelage.core.row import Example, Source
from tutelage.curate.synthesis.looks import parts_of
from tutelage.curate.synthesis.run import needed, read_drafts, read_summary
from tutelage.curate.synthesis.run import run as door
from tutelage.curate.synthesis.sift import Draft
from tutelage.screen.rewrite import read
from tutelage.store.run import Run
from tutelage.store.store import Store

BALANCE = (said("balance"),) * 3


def drafted(
    folder: Path, planted: Mapping[str, Planted], **changes: Any
) -> tuple[Any, list[Draft]]:
    """What a teacher's drafts come to; with `contract: {}` answers are as they like."""
    contract = changes.pop("contract", None)
    with serving(Teacher(planted=planted).choice) as (endpoint, _):
        path = project(folder, planted, endpoint, **changes)
        if contract is not None:
            form = json.loads(path.read_text(encoding="utf-8"))
            path.write_text(json.dumps(form | {"contract": contract}), encoding="utf-8")
        recipe = load(path)
        with Run.open(recipe) as run:
            artifact, _ = door(needed(recipe)[0], run)
    return read_summary(artifact), read_drafts(artifact)


def one(request: str, answers: tuple[str, ...] = BALANCE) -> dict[str, Planted]:
    return {"what do i have": Planted(request=request, answers=answers, fate="clean")}


def test_thoughts_before_an_answer_are_no_part_of_it(tmp_path: Path) -> None:
    thought = "<think>they ask for money</think>\n"
    answers = tuple(f"{thought}{text}" for text in BALANCE)

    form, (draft,) = drafted(tmp_path, one("tell me what is left", answers))

    assert draft.example.messages[-1].content == said("balance")
    assert form["dropped"] == {}


@pytest.mark.parametrize("text", ["  \u200b ", "<think>and so on without an end"])
def test_what_nobody_can_see_is_no_request(text: str, tmp_path: Path) -> None:
    form, drafts = drafted(tmp_path, one(text))

    assert (form["dropped"], drafts) == ({"no_answer": 1}, [])


def test_an_answer_that_is_its_request_is_a_reason_to_look_closely(tmp_path: Path) -> None:
    words = "tell me what is left"
    _, (draft,) = drafted(tmp_path, one(words, (f"{words}!",) * 3), contract={})

    assert draft.reasons == ("echo: its answer is the request",)


def test_what_the_teacher_was_told_is_found_in_what_it_says(tmp_path: Path) -> None:
    told = (
        "Write one request that somebody else could send and that is of the same kind: in other "
        "words, with other particulars."
    )
    _, (draft,) = drafted(tmp_path, one(told))

    assert draft.reasons == (
        "echo: its request has 13 words in a row of what the teacher was told to do",
    )


def test_the_words_of_its_seed_are_found_in_a_draft(tmp_path: Path) -> None:
    seed = "i would like to know how much of my money is still there after paying the rent"
    planted = {
        seed: Planted(
            request=f"good day to all of you over there, it is me again from the old house: {seed} "
            "and the heating and the water and whatever else came up in this long cold winter",
            answers=BALANCE,
            fate="clean",
        )
    }
    _, (draft,) = drafted(tmp_path, planted)

    assert "echo: its request has 13 words in a row of its seed" in draft.reasons


def test_control_characters_are_a_reason_to_look_closely(tmp_path: Path) -> None:
    _, (draft,) = drafted(tmp_path, one("what is\x1b[31m left \x00 for me"))

    assert draft.reasons == ("unseen_signs: its request has U+0000, U+001B",)


def test_signs_that_nobody_sees_are_told_but_for_joiners_in_their_place(tmp_path: Path) -> None:
    persian, worker = (
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\U0001f469\u200d\U0001f4bb",
    )
    words = f"{persian} {worker} what is le\u200dft \u202efor\u202c me\U000e0041"
    _, (draft,) = drafted(tmp_path, one(words))

    told = "U+200D, U+202C, U+202E, U+E0041"
    assert f"unseen_signs: its request has {told}" in draft.reasons
    (tmp_path / "again").mkdir()
    _, (draft,) = drafted(tmp_path / "again", one(f"what is left {persian} {worker}"))
    assert draft.reasons == ()


class Refusing:
    """A teacher whose endpoint refuses some requests with status 400."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.teacher = Teacher(planted=PLANTED)

    def choice(self, body: Mapping[str, Any]) -> Mapping[str, object]:
        if any(word in body["messages"][-1]["content"] for word in self.words):
            return {"message": {"role": "assistant", "content": {"refused": True}}}
        return self.teacher.choice(body)


def test_a_request_the_endpoint_refuses_is_a_draft_without_an_answer(tmp_path: Path) -> None:
    seed = next(iter(PLANTED))
    with serving(Refusing(f"<request>\n{seed}\n").choice) as (endpoint, _):
        recipe = load(project(tmp_path, PLANTED, endpoint))
        with Run.open(recipe) as run:
            artifact, spent = door(needed(recipe)[0], run)
    form: Any = read_summary(artifact)

    assert form["made"] == len(PLANTED)
    assert form["dropped"]["no_answer"] == 3  # two are planted
    assert form["spent"]["refused"] == 1
    assert form["spent"]["replies"] == spent.asked == 49  # of 53 four were this draft's


MANY = {
    f"what do i have in place {number}": Planted(
        request=f"tell me of my account at number {number}", answers=BALANCE, fate="clean"
    )
    for number in range(80)
}


def stopped(folder: Path, answered: int) -> int:
    """How many of many requests are sent to a teacher that answers so many and refuses the rest."""
    teacher, left = Refusing(""), answered
    teacher.teacher = Teacher(planted=MANY)

    def choice(body: Mapping[str, Any]) -> Mapping[str, object]:
        nonlocal left
        left -= 1
        return (teacher.teacher if left >= 0 else teacher).choice(body)

    told = "10 requests in a row were refused; .* is no reply"
    with serving(choice) as (endpoint, sent):
        recipe = load(project(folder, MANY, endpoint))
        with Run.open(recipe) as run, pytest.raises(MissingCapability, match=told):
            door(needed(recipe)[0], run)
    assert Store.beside(folder).artifacts() == []
    return len(sent)


def test_an_endpoint_that_refuses_every_request_stops_with_its_words(tmp_path: Path) -> None:
    assert stopped(tmp_path, 0) < 60  # and not one for each of them


def test_an_endpoint_that_refuses_all_that_follow_stops_and_nothing_is_made(
    tmp_path: Path,
) -> None:
    assert stopped(tmp_path, len(MANY)) < len(MANY) + 60  # of three times as many answers


def test_samples_that_are_all_refused_are_one_request_that_is(tmp_path: Path) -> None:
    planted = {name: PLANTED[name] for name in list(PLANTED)[:2]}
    words = next(iter(planted.values())).request
    with serving(Refusing(words).choice) as (endpoint, _):
        recipe = load(project(tmp_path, planted, endpoint, synthesis={"samples": 24}))
        with Run.open(recipe) as run:
            artifact, _ = door(needed(recipe)[0], run)
    form: Any = read_summary(artifact)

    assert form["dropped"] == {"no_answer": 1}
    assert form["spent"]["refused"] == 24


def test_the_part_a_finding_stands_in_is_told_to_reviewers(tmp_path: Path) -> None:
    asked = "write to dora.lind@example.org or to max@example.org, please"
    form, (draft,) = drafted(
        tmp_path,
        one(asked, ("I have written to dora.lind@example.org",) * 3),
        screen={"actions": {"email": "review"}},
        contract={},
    )

    assert draft.reasons == ("personal_data: email 2 in the request, 1 in the answer",)
    assert form["flagged"] == {"personal_data": 1}


def test_every_text_of_a_row_has_its_part() -> None:
    row = Example(
        messages=(
            Message(role="system", content=SYSTEM),
            Message(role="user", content='{"a": "x", "b": ["y"]}'),
            Message(role="assistant", content="z", reasoning="because"),
        ),
        origin="human",
        licence="CC0-1.0",
        source=Source(uri="rows.jsonl", line=1),
        tags={"kind": "v"},
    )
    parts = dict(zip([text for _, text in read(row)], parts_of(row), strict=True))

    assert parts[SYSTEM] == "the system prompt"
    assert {parts[text] for text in ("x", "y", "a", "b")} == {"the request"}
    assert {parts[text] for text in ("z", "because")} == {"the answer"}
    assert parts["v"] == "what is said of the row"


def test_the_drafts_say_which_detectors_looked_at_them(tmp_path: Path) -> None:
    with answering(names) as (url, sent):
        screen = {"detectors": [{"name": "names", "url": url, "least_score": 0.7}]}
        words = "tell Ann what is left"
        form, (draft,) = drafted(tmp_path, one(words), screen=screen)

    assert draft.reasons == ("detected: names: person 1 in the request",)
    assert [texts.count(words) for texts, _ in sent].count(1) == 1  # it was asked once
    assert form["detectors"] == [
        {"name": "pii", "by": "rules"},
        {"name": "secrets", "by": "rules"},
        {"name": "injection", "by": "rules"},
        {"name": "names", "by": "endpoint", "url": url, "least_score": 0.7},
    ]


def test_letters_without_ink_are_told(tmp_path: Path) -> None:
    _, (draft,) = drafted(tmp_path, one("what is\u3164 left \u2800 for \u115f me"))

    assert "unseen_signs: its request has U+115F, U+2800, U+3164" in draft.reasons
