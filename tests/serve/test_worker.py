"""One thread owns the engine: requests wait, go side by side, time out and are broken off."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2

from tests.serve.loopback import loopback, until
from tests.serve.place import URL, Asking, serving
from tutelage.engine.fake import FakeEngine
from tutelage.engine.protocol import Chunk, Decoding, Generation, Prompt
from tutelage.serve.app import make_app


class Gated(FakeEngine):
    """An engine that begins an answer only when its gate is open; groups are kept."""

    def __init__(self, *, letters: int = 3) -> None:
        super().__init__(lambda prompt: "x" * letters)
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.groups: list[int] = []
        self.drawn = 0

    def generate(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[Generation]:
        """Answers side by side."""
        self.groups.append(len(prompts))
        return super().generate(prompts, decoding)

    def stream(self, prompt: Prompt, decoding: Decoding) -> Iterator[Chunk]:
        """One answer, once the gate is open."""
        self.groups.append(1)
        self.begun.set()
        self.gate.wait(20)
        for piece in super().stream(prompt, decoding):
            self.drawn += 1
            yield piece


def crowd(place: Asking, count: int, **more: Any) -> tuple[ThreadPoolExecutor, list[Any]]:
    """Requests sent at once, each from a thread of its own."""
    pool = ThreadPoolExecutor(count)
    return pool, [pool.submit(place.ask, f"question {n}", **more) for n in range(count)]


def test_requests_that_wait_together_are_answered_side_by_side(tmp_path: Path) -> None:
    engine = Gated()
    with serving(tmp_path, engine, serve={"batch": 4}) as place:
        pool, first = crowd(place, 1)
        engine.begun.wait(20)
        others, rest = crowd(place, 6)
        until(lambda: place.answerer.worker.waiting == 6)
        engine.gate.set()
        answers = [one.result(20) for one in (*first, *rest)]
        assert [one.status_code for one in answers] == [200] * 7
        assert engine.groups == [1, 4, 2]
        assert len({one.json()["id"] for one in answers}) == 7
        pool.shutdown()
        others.shutdown()


def test_requests_of_other_decoding_or_a_seed_go_by_themselves(tmp_path: Path) -> None:
    engine = Gated()
    with serving(tmp_path, engine) as place:
        pool, first = crowd(place, 1)
        engine.begun.wait(20)
        crowds = [
            crowd(place, 2),
            crowd(place, 2, max_tokens=2),
            crowd(place, 2, temperature=1.0, seed=5),
            crowd(place, 2, temperature=1.0),
        ]
        until(lambda: place.answerer.worker.waiting == 8)
        engine.gate.set()
        for _, waiting in crowds:
            assert [one.result(20).status_code for one in waiting] == [200, 200]
        assert sorted(engine.groups) == [1, 1, 1, 2, 2, 2]
        for one, _ in (*crowds, (pool, first)):
            one.shutdown()


def test_more_than_may_wait_are_turned_away_and_told_when_to_come(tmp_path: Path) -> None:
    engine = Gated()
    with serving(tmp_path, engine, serve={"max_waiting": 2}) as place:
        pool, first = crowd(place, 1)
        engine.begun.wait(20)
        others, waiting = crowd(place, 2)
        until(lambda: place.answerer.worker.waiting == 2)
        assert "tutelage_waiting_requests 2.0" in place.client.get("/metrics").text
        refused = place.ask()
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["error"]["type"] == "rate_limit_error"
        engine.gate.set()
        assert [one.result(20).status_code for one in (*first, *waiting)] == [200] * 3
        assert len(place.events()) == 3
        pool.shutdown()
        others.shutdown()


def test_an_answer_that_does_not_come_in_time_is_given_up_and_kept_as_that(
    tmp_path: Path,
) -> None:
    engine = Gated()
    with serving(tmp_path, engine, serve={"timeout_seconds": 0.05}) as place:
        for stream in (False, True):
            response = place.ask(stream=stream)
            assert response.status_code == 504
            assert response.json()["error"]["code"] == "timeout"
            assert response.json()["id"] == place.events()[-1].id
            assert (place.payload()["finish"], place.payload()["error"]) == ("error", "timeout")
        engine.gate.set()
    assert engine.groups == [1], "the one that still waited was never begun"
    assert engine.drawn == 1, "the one that was begun was broken off"


def test_a_client_that_goes_away_breaks_its_answer_off(tmp_path: Path) -> None:
    engine = Gated(letters=200)
    with serving(tmp_path, engine) as place:
        app = make_app(place.answerer)
        with loopback(app) as url, httpx2.Client(base_url=url) as client:
            form = {"model": "tickets", "messages": [{"role": "user", "content": "x"}]}
            try:
                client.post(URL, json=form, timeout=0.2)
                raise AssertionError("it was answered")
            except httpx2.ReadTimeout:
                pass
            until(lambda: len(place.events()) == 1)
            assert place.payload()["finish"] == "cancelled"
            engine.gate.set()
            until(lambda: engine.drawn == 1)
            metrics = client.get("/metrics").text
            assert 'route="/v1/chat/completions",status="499"} 1.0' in metrics


def test_a_client_that_leaves_a_stream_is_kept_with_what_it_got(tmp_path: Path) -> None:
    class Endless(Gated):
        def stream(self, prompt: Prompt, decoding: Decoding) -> Iterator[Chunk]:
            try:
                while True:
                    yield Chunk(text="x" * 1000, ids=(1,))
                    self.gate.wait(0.001)
            finally:
                left.set()

    engine, left = Endless(), threading.Event()
    with serving(tmp_path, engine) as place, loopback(make_app(place.answerer)) as url:
        form = {"model": "tickets", "messages": [{"role": "user", "content": "x"}], "stream": True}
        with httpx2.Client(base_url=url) as client, client.stream("POST", URL, json=form) as got:
            lines = got.iter_lines()
            assert [next(lines) for _ in range(3)][-1].startswith("data: ")
        until(lambda: len(place.events()) == 1)
        assert place.payload()["finish"] == "cancelled"
        assert str(place.payload()["answer"]).startswith("xxx")
        assert left.wait(20), "the engine was told to go on for nobody"


def test_answers_under_way_end_before_the_server_does(tmp_path: Path) -> None:
    engine = Gated()
    with serving(tmp_path, engine) as place, ThreadPoolExecutor(1) as pool:
        with loopback(make_app(place.answerer)) as url:
            form = {"model": "tickets", "messages": [{"role": "user", "content": "x"}]}
            asked = pool.submit(httpx2.post, f"{url}{URL}", json=form, timeout=20)
            engine.begun.wait(20)
            threading.Timer(0.2, engine.gate.set).start()
        assert asked.result(20).json()["choices"][0]["message"]["content"] == "xxx"
        assert engine.closed
        assert len(place.events()) == 1, "the journal was closed, and has it"


def test_what_is_counted_is_what_happened(tmp_path: Path) -> None:
    with serving(tmp_path) as place:
        place.ask()
        place.ask(stream=True)
        place.ask(colour="blue")
        text = place.client.get("/metrics").text
        for line in (
            'tutelage_requests_total{route="/v1/chat/completions",status="200"} 2.0',
            'tutelage_requests_total{route="/v1/chat/completions",status="400"} 1.0',
            'tutelage_answers_total{finish="stop"} 2.0',
            'tutelage_tokens_total{kind="completion"} 18.0',
            "tutelage_answer_seconds_count 2.0",
            "tutelage_first_token_seconds_count 2.0",
            "tutelage_events_dropped_total 0.0",
            f'tutelage_release_info{{base="base",digest="{place.answerer.served.digest}",'
            f'label="{place.answerer.served.label}"}} 1.0',
        ):
            assert line in text
