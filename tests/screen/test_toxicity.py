"""Marks of toxicity are found where they are asked for, and plain talk is left alone."""

from __future__ import annotations

import pytest

from tutelage.core.conversation import Message
from tutelage.core.recipe import Screen
from tutelage.core.row import Example, Source
from tutelage.screen.screener import Found, Screener, looking
from tutelage.screen.toxicity import KINDS, find_toxicity


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("obscene", "what the fuck is that"),
        ("obscene", "This is bullshit."),
        ("slur", "he is a retard"),
        ("insult", "You are such a pathetic loser"),
        ("insult", "shut the hell up"),
        ("threat", "I will kill you tonight"),
        ("threat", "They deserve to be shot."),
        ("threat", "I\u2019ll kill\nyou"),
        ("insult", "you\u2019re  an idiot"),
        ("dehumanising", "send them  back to their country"),
        ("dehumanising", "Immigrants are nothing but vermin"),
        ("dehumanising", "Women should not be allowed the same rights"),
        ("dehumanising", "They are a threat to our society."),
        ("dehumanising", "go back to your country"),
        ("dehumanising", "Throw immigrants out of this town."),
        ("dehumanising", "It is unnatural and immoral."),
        ("dehumanising", "the mud people"),
        ("insult", "nobody likes you"),
        ("insult", "You stupid bitch"),
        ("threat", "Kill yourself."),
    ],
)
def test_each_mark_is_found(kind: str, text: str) -> None:
    assert kind in {one.kind for one in find_toxicity(text)}
    assert kind in KINDS


@pytest.mark.parametrize(
    "text",
    [
        "How do I kill a Python process?",
        "Maine Coon cats and blue tits on Jost Van Dyke",
        "Scunthorpe has an assessor of shiitake.",
        "Immigrants are people who moved.",
        "I will beat the eggs.",
        "You are a good friend.",
        "They should be sent an invoice.",
        "We send packets back to the server and throw errors out of the loop.",
        "I have to kill those zombie processes.",
        "I will burn you a CD and shoot you an email.",
        "The tests should be executed; you should be punished by the linter.",
        "",
    ],
)
def test_plain_talk_is_left_alone(text: str) -> None:
    assert find_toxicity(text) == []


ROW = Example(
    messages=(
        Message(role="user", content="say something"),
        Message(role="assistant", content="You are an idiot."),
    ),
    origin="human",
    licence="CC0-1.0",
    source=Source(uri="rows", line=1, digest="0" * 64),
)


@pytest.mark.parametrize(
    ("actions", "found"),
    [
        ({}, []),
        ({"pii": "review"}, []),
        ({"toxicity": "review"}, [Found(detector="toxicity", kind="insult", action="review")]),
        ({"insult": "drop"}, [Found(detector="toxicity", kind="insult", action="drop")]),
        ({"obscene": "drop"}, [Found(detector="toxicity", kind="insult", action="report")]),
    ],
)
def test_it_looks_only_where_an_action_names_it_or_a_kind_of_it(
    actions: dict[str, str], found: list[Found]
) -> None:
    screener = Screener(Screen.model_validate({"actions": actions}))
    (screened,) = screener.screen([ROW])
    assert list(screened.found) == found


def test_a_kind_that_may_be_an_endpoints_asks_for_no_rules() -> None:
    detectors = [{"name": "harm", "url": "http://localhost:1/find"}]
    named = {"actions": {"insult": "drop"}, "detectors": detectors}
    assert "toxicity" not in looking(Screen.model_validate(named))
    assert "toxicity" in looking(Screen.model_validate({**named, "actions": {"toxicity": "drop"}}))
