"""`tutelage serve` as a teacher: its endpoint takes what `tutelage draft` asks."""

from __future__ import annotations

import json
from pathlib import Path

from tests.score.teachers import INTENTS, SEED, project, said
from tests.serve.loopback import loopback
from tests.serve.place import DIGEST, LABEL, contract_of
from tutelage.core.recipe import load
from tutelage.core.recipe.serve import Serve
from tutelage.curate.synthesis.run import needed, read_drafts
from tutelage.curate.synthesis.run import run as door
from tutelage.engine.fake import FakeEngine
from tutelage.engine.protocol import Prompt
from tutelage.serve.answer import Answerer
from tutelage.serve.app import make_app
from tutelage.serve.served import Served
from tutelage.store.journal import Journal
from tutelage.store.run import Run

SHORT = "<request>\n{request}\n</request> Again?"


def teach(prompt: Prompt) -> str:
    """A request for a seed, an intent for a request."""
    found = SEED.search(prompt.messages[-1].content)
    return f"else {found[1]}" if found else said(INTENTS[0])


def test_a_release_that_is_served_drafts_rows(tmp_path: Path) -> None:
    engine = FakeEngine(teach)
    served = Served(
        name="tickets",
        label=LABEL,
        digest=DIGEST,
        base="base",
        section=Serve.model_validate({}),
        contract=contract_of(tmp_path),
        engine=engine,
    )
    answerer = Answerer(served, Journal.open(tmp_path / "events.sqlite"), None)
    with loopback(make_app(answerer)) as url:
        path = project(tmp_path, {"a red one": None, "two blue": None}, f"{url}/v1")  # type: ignore[dict-item]
        recipe = load(
            path,
            [
                "curate.synthesis.teacher.model=tickets",
                f"curate.synthesis.instruction={json.dumps(SHORT)}",
                "curate.synthesis.guide=''",
                "curate.synthesis.teacher.max_new_tokens=40",
            ],
        )
        with Run.open(recipe) as run:
            artifact, spent = door(needed(recipe)[0], run)
    drafts = read_drafts(artifact)
    assert sorted(one.example.messages[-2].content for one in drafts) == [
        "else a red one",
        "else two blue",
    ]
    assert {one.example.messages[-1].content for one in drafts} == {said(INTENTS[0])}
    assert (spent.asked, len(engine.seen)) == (8, 8)
    assert spent.prompt_tokens > 0
