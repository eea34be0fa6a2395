"""A detector behind HTTP is asked in batches, and never taken to have found nothing by mistake."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from tests.detector import answering, names
from tests.speaking import speaking
from tutelage.core.errors import MissingCapability
from tutelage.core.recipe import Detector
from tutelage.screen.endpoint import ask


def test_texts_are_sent_in_batches_and_findings_come_back_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NER_TOKEN", "abc")
    with answering(names) as (url, sent):
        detector = Detector(name="ner", url=url, batch=2, token_env="NER_TOKEN")
        found = ask(detector, ["Ann is here", "nobody", "and Bo and Ann"])
    assert [[(one.kind, one.start, one.end) for one in own] for own in found] == [
        [("person", 0, 3)],
        [],
        [("person", 11, 14)],
    ]
    assert [texts for texts, _ in sent] == [["Ann is here", "nobody"], ["and Bo and Ann"]]
    assert {token for _, token in sent} == {"Bearer abc"}


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        ({"findings": []}, "1 texts were sent and 0 lists came back"),
        ({"found": []}, "another shape"),
        ({"findings": [[{"start": 2, "end": 9, "kind": "x"}]]}, "a finding at 2 to 9"),
    ],
)
def test_an_answer_of_another_shape_is_refused(reply: Any, says: str) -> None:
    with answering(lambda texts: reply) as (url, _), pytest.raises(MissingCapability, match=says):
        ask(Detector(name="ner", url=url), ["Ann"])


def test_an_endpoint_that_is_not_there_stops_the_run() -> None:
    with answering(names) as (url, _):
        pass
    with pytest.raises(MissingCapability, match="cannot be asked"):
        ask(Detector(name="ner", url=url), ["Ann"])
    with pytest.raises(MissingCapability, match="NO_SUCH_TOKEN is not set"):
        ask(Detector(name="ner", url=url, token_env="NO_SUCH_TOKEN"), ["Ann"])


@pytest.mark.parametrize("url", ["http://[::1/find", "http://127.0.0.1:x/find"])
def test_an_address_that_cannot_be_read_is_told(url: str) -> None:
    with pytest.raises(MissingCapability, match="it cannot be asked"):
        ask(Detector(name="ner", url=url), ["a"])


def test_a_token_that_cannot_be_sent_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NER_TOKEN", "se\ncret")
    with pytest.raises(MissingCapability, match="NER_TOKEN holds signs") as told:
        ask(Detector(name="ner", url="http://127.0.0.1:1", token_env="NER_TOKEN"), ["a"])
    assert "cret" not in told.value.text()


def test_a_server_that_says_the_token_gets_it_neither_kept_nor_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = "Sk-abcdef0123456789"
    monkeypatch.setenv("NER_TOKEN", secret)
    marked = {"findings": [[{"start": 0, "end": 3, "kind": f"who {secret}"}]]}
    with answering(lambda texts: marked) as (url, _):
        ((found,),) = ask(Detector(name="ner", url=url, token_env="NER_TOKEN"), ["Ann"])
    assert found.kind == "who [key]"
    for said in (f"HTTP/1.1 {secret}", f"HTTP/1.1 500 {secret}\r\n\r\n{secret}"):
        with speaking(said.encode() + b"\r\n\r\n") as url, pytest.raises(MissingCapability) as told:
            ask(Detector(name="ner", url=url, token_env="NER_TOKEN"), ["Ann"])
        assert secret not in "".join(traceback.format_exception(told.value))


def test_an_error_is_told_without_its_words_which_may_be_those_of_a_text() -> None:
    with (
        speaking(b"HTTP/1.1 500 No\r\n\r\ncannot read Ann") as url,
        pytest.raises(MissingCapability, match="it answered 500\n") as told,
    ):
        ask(Detector(name="ner", url=url), ["Ann"])
    assert "Ann" not in told.value.text()


def test_a_server_that_drips_is_given_up_after_the_time_given() -> None:
    with speaking(b"HTTP/1.1 200", b" ") as url, pytest.raises(MissingCapability, match=r"0\.2 s"):
        ask(Detector(name="ner", url=url, timeout_seconds=0.2), ["Ann"])
