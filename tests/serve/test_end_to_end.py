"""A release of the micro base behind a real port, asked by OpenAI's own client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.micro import tickets
from tests.serve.loopback import loopback, until
from tutelage.core.conversation import Conversation, Message
from tutelage.core.row import Example, Source
from tutelage.engine.local import LocalEngine
from tutelage.engine.protocol import Chunk, Decoding, Generation, Identity, Prompt
from tutelage.engine.release import open_release
from tutelage.serve.answer import Answerer
from tutelage.serve.app import make_app
from tutelage.serve.run import Place, open_app
from tutelage.serve.served import Served
from tutelage.store.journal import Journal
from tutelage.store.release import ReleaseFolder, events_path
from tutelage.store.tables import SAMPLES, read_samples

HELD_OUT = tickets(6, first=1000)
TRAINED = tickets(6)


class Recording:
    """A real engine, and every prompt it was given."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.identity: Identity = engine.identity
        self.capabilities = engine.capabilities
        self.prompts: list[tuple[int, ...]] = []

    def generate(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[Generation]:
        """As the engine, the prompts kept."""
        self.prompts += [prompt.ids for prompt in prompts]
        yield from self.engine.generate(prompts, decoding)

    def stream(self, prompt: Prompt, decoding: Decoding) -> Iterator[Chunk]:
        """As the engine, the prompt kept."""
        self.prompts.append(prompt.ids)
        yield from self.engine.stream(prompt, decoding)

    def score(self, row: Any) -> Any:
        """As the engine."""
        return self.engine.score(row)

    def close(self) -> None:
        """As the engine."""
        self.engine.close()


@pytest.fixture
def client(release: ReleaseFolder) -> Iterator[OpenAI]:
    with (
        loopback(open_app(release, Place())) as url,
        OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as opened,
    ):
        yield opened


def messages(*said: str) -> list[Any]:
    return [{"role": "user", "content": text} for text in said]


def test_openais_client_gets_what_the_engine_answers(
    client: OpenAI, release: ReleaseFolder
) -> None:
    opened = open_release(release)
    asked = Message(role="user", content=HELD_OUT[0][0])
    ids = opened.contract.prompt_ids(Conversation(messages=(asked,)))
    decoding = Decoding(max_new_tokens=6, stop=opened.contract.stop_ids)
    (expected,) = opened.engine.generate([Prompt(ids=ids)], decoding)
    opened.engine.close()

    whole = client.chat.completions.create(
        model="tickets", messages=messages(asked.content), max_tokens=6, temperature=0
    )
    assert whole.choices[0].message.content == expected.text
    assert whole.system_fingerprint == release.label
    assert whole.usage is not None
    assert whole.usage.completion_tokens == len(expected.ids)
    assert whole.usage.prompt_tokens == len(ids)

    pieces = list(
        client.chat.completions.create(
            model="tickets",
            messages=messages(asked.content),
            max_tokens=6,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    texts = [piece.choices[0].delta.content or "" for piece in pieces if piece.choices]
    assert "".join(texts) == expected.text
    assert pieces[-1].usage == whole.usage
    assert {piece.id for piece in pieces} == {pieces[0].id}


def test_openais_client_reads_the_models_and_every_kind_of_error(
    client: OpenAI, release: ReleaseFolder
) -> None:
    (model,) = client.models.list().data
    assert (model.id, model.to_dict()["release"]) == ("tickets", release.label)
    ask = client.chat.completions.create
    with pytest.raises(openai.NotFoundError) as missing:
        ask(model="gpt", messages=messages("x"))
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as refused:
        ask(model="tickets", messages=messages("x"), n=2)
    assert refused.value.param == "n"
    with pytest.raises(openai.BadRequestError) as long:
        ask(model="tickets", messages=messages("word " * 500))
    assert long.value.code == "context_length_exceeded"


def test_an_answer_the_clients_schema_does_not_take_can_still_be_rated(client: OpenAI) -> None:
    schema = {"type": "object", "required": ["nowhere"]}
    form: Any = {"type": "json_schema", "json_schema": {"name": "t", "schema": schema}}
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        client.chat.completions.create(
            model="tickets", messages=messages("x"), max_tokens=2, response_format=form
        )
    assert raised.value.code == "schema_mismatch"
    id = raised.value.response.json()["id"]
    rated = client.post("/feedback", body={"id": id, "rating": "down"}, cast_to=httpx2.Response)
    assert rated is not None


def test_feedback_by_way_of_the_client_is_kept_in_the_projects_journal(
    client: OpenAI, release: ReleaseFolder
) -> None:
    answer = client.chat.completions.create(
        model="tickets", messages=messages("x"), max_tokens=2, metadata={"by": "test"}
    )
    client.post(
        "/feedback",
        body={"id": answer.id, "rating": "up", "correction": '{"team": "billing"}'},
        options={"headers": {"Idempotency-Key": "once"}},
        cast_to=httpx2.Response,
    )
    path = events_path(release)
    assert path.parent.name == ".tutelage"
    seen = Journal.open(path, read_only=True)
    completion, feedback = seen.events(release=release.digest)
    assert (completion.id, feedback.subject) == (answer.id, answer.id)
    assert completion.payload["metadata"] == {"by": "test"}
    assert completion.payload["parsed"] in (True, False), "the contract has an output schema"


def test_what_the_engine_meets_is_what_the_contract_renders_and_what_was_taught(
    release: ReleaseFolder, tmp_path: Path
) -> None:
    opened = open_release(release)
    assert isinstance(opened.engine, LocalEngine)
    engine = Recording(opened.engine)
    served = Served(
        name=release.name,
        label=release.label,
        digest=release.digest,
        base="base",
        section=release.serve,
        contract=opened.contract,
        engine=engine,
    )
    answerer = Answerer(served, Journal.open(tmp_path / "events.sqlite"))
    rows = [example(*row) for row in TRAINED]
    with loopback(make_app(answerer)) as url:
        for stream in (False, True):
            for asked, _ in (*HELD_OUT, *TRAINED):
                form = {"model": "tickets", "messages": messages(asked), "max_tokens": 1}
                httpx2.post(
                    f"{url}/v1/chat/completions", json={**form, "stream": stream}
                ).raise_for_status()
    conversations = [
        Conversation(messages=(Message(role="user", content=asked),))
        for asked, _ in (*HELD_OUT, *TRAINED)
    ]
    rendered = [opened.contract.prompt_ids(one) for one in conversations]
    assert engine.prompts == [*rendered, *rendered]
    taught = [lesson.prompt for row in rows for lesson in opened.contract.lessons(row)]
    assert engine.prompts[len(HELD_OUT) : len(rendered)] == taught


def example(asked: str, answer: str) -> Example:
    """A row as it was trained on."""
    turns = (Message(role="user", content=asked), Message(role="assistant", content=answer))
    source = Source(uri="data/train.jsonl", line=1)
    return Example(messages=turns, origin="human", licence="CC0-1.0", source=source)


def test_the_events_hold_the_prompts_digest_that_evaluation_writes(
    client: OpenAI, release: ReleaseFolder
) -> None:
    assert release.project is not None
    asked, _ = HELD_OUT[0]
    client.chat.completions.create(model="tickets", messages=messages(asked), max_tokens=2)
    samples = {
        sample.prompt_digest
        for path in (release.project / ".tutelage" / "store").glob(f"report-*/{SAMPLES}")
        for sample in read_samples(path)
        if sample.system in ("zero_shot", "tuned")
    }
    events = Journal.open(events_path(release), read_only=True)
    until(lambda: any(True for _ in events.events()))
    (event,) = events.events()
    assert event.payload["prompt_digest"] in samples
