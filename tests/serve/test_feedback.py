"""Feedback is acknowledged only once it is kept, and only of answers there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.serve.place import DIGEST, Asking, serving
from tutelage.store.journal import Journal


def give(place: Asking, key: str | None = None, **form: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return place.client.post("/v1/feedback", json=form, headers=headers)


def test_feedback_is_on_the_disk_when_it_is_acknowledged(tmp_path: Path) -> None:
    with serving(tmp_path) as place:
        id = place.ask().json()["id"]
        response = give(place, id=id, rating="down", correction="better", author="bo")
        assert response.status_code == 200
        seen = Journal.open(place.path, read_only=True)
        completion, feedback = seen.events()
        assert response.json()["id"] == feedback.id
        assert (feedback.subject, feedback.release) == (completion.id, DIGEST)
        assert feedback.payload == {
            "rating": "down",
            "correction": "better",
            "comment": None,
            "author": "bo",
        }


def test_feedback_on_an_unknown_answer_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path) as place:
        response = give(place, id="chatcmpl-none", rating="up")
        assert response.status_code == 404
        assert response.json()["error"]["param"] == "id"
        id = give(place, id=place.ask().json()["id"], rating="up").json()["id"]
        assert give(place, id=id, rating="up").status_code == 404, "feedback is no answer"


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"rating": "up"}, "id"),
        ({"id": "x"}, "rating"),
        ({"id": "x", "author": "bo"}, "rating"),
        ({"id": "x", "rating": "great"}, "rating"),
        ({"id": "x", "correction": 5}, "correction"),
        ({"id": "x", "rating": "up", "stars": 5}, "stars"),
    ],
)
def test_feedback_of_another_shape_is_refused_by_name(
    form: dict[str, Any], param: str, tmp_path: Path
) -> None:
    with serving(tmp_path) as place:
        response = give(place, **form)
        assert response.status_code == 400
        assert response.json()["error"]["param"] == param


def test_the_same_key_twice_is_one_event_and_other_content_under_it_is_refused(
    tmp_path: Path,
) -> None:
    with serving(tmp_path) as place:
        id = place.ask().json()["id"]
        first = give(place, "k1", id=id, rating="up")
        assert give(place, "k1", id=id, rating="up").json() == first.json()
        assert give(place, "k2", id=id, rating="up").json()["id"] != first.json()["id"]
        other = give(place, "k1", id=id, rating="down")
        assert other.status_code == 409
        assert other.json()["error"]["code"] == "idempotency_conflict"
        assert len(place.events("feedback")) == 2


def test_an_empty_key_is_none(tmp_path: Path) -> None:
    with serving(tmp_path) as place:
        id = place.ask().json()["id"]
        first, second = give(place, "", id=id, rating="up"), give(place, "", id=id, rating="down")
        assert (first.status_code, second.status_code) == (200, 200)
        assert len(place.events("feedback")) == 2


def test_the_words_of_feedback_are_kept_as_the_release_says(tmp_path: Path) -> None:
    with serving(tmp_path) as place:
        id = place.ask().json()["id"]
        give(place, id=id, correction="ask ann@example.org")
        (feedback,) = place.events("feedback")
        assert feedback.payload["correction"] == "ask [EMAIL]"


def test_a_server_that_keeps_no_words_takes_a_rating_alone(tmp_path: Path) -> None:
    with serving(tmp_path, serve={"keep": "nothing"}) as place:
        id = place.ask().json()["id"]
        assert give(place, id=id, rating="up").status_code == 200
        refused = give(place, id=id, correction="better")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "not_kept")


def test_feedback_that_cannot_be_kept_is_not_acknowledged(tmp_path: Path) -> None:
    with serving(tmp_path) as place:
        id = place.ask().json()["id"]
        place.answerer.journal.close()
        response = give(place, id=id, rating="up")
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        assert place.events("feedback") == []


def test_words_a_broken_check_could_not_look_at_are_not_written(tmp_path: Path) -> None:
    def broken(text: str) -> list[Any]:
        raise RuntimeError("no")

    checks: Any = {"pii": broken, "secrets": broken}
    with serving(tmp_path, checks=checks) as place:
        id = place.ask("the words").json()["id"]
        assert place.payload()["kept"] == "nothing"
        assert "the words" not in json.dumps(dict(place.payload()))
        assert give(place, id=id, correction="better").status_code == 503
        assert give(place, id=id, rating="up").status_code == 200
