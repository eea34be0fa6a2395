"""The whole circle on a micro base: taught, proved, released, served, corrected, taught again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

import tutelage as tt
from tests.journey.project import build, speak

MORE = """\
release: {notes: the circle}
monitor: {rules: [served.valid >= 0.0]}
improve: {licence: CC0-1.0}
"""
QUESTION = "case 5: my piano is wet since yesterday"
CORRECTION = '{"team": "technical"}'
SOURCE = "{path: data/train.jsonl, origin: human, licence: CC0-1.0}"
FEEDBACK = "{path: data/feedback.jsonl, format: row, origin: human_edited, licence: CC0-1.0}"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The micro project, walked to its release."""
    folder = build(tmp_path_factory.mktemp("circle"))
    recipe = folder / "recipe.yaml"
    recipe.write_text(recipe.read_text() + MORE)
    said = speak(folder, "run")
    assert said.code == 0, said.err
    assert "serve it: tutelage serve .tutelage/store/release-" in said.out
    return folder


def asked(project: Path) -> str:
    """Asks the served release by OpenAI's client, corrects the answer; the event's id."""
    release = tt.release(project / "recipe.yaml")
    with tt.serving(release) as url, OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        whole = client.chat.completions.create(
            model="tickets", messages=[{"role": "user", "content": QUESTION}], max_tokens=8
        )
        pieces = client.chat.completions.create(
            model="tickets",
            messages=[{"role": "user", "content": QUESTION}],
            max_tokens=8,
            stream=True,
        )
        streamed = "".join(piece.choices[0].delta.content or "" for piece in pieces)
        assert streamed == whole.choices[0].message.content
        assert whole.system_fingerprint == tt.read_release(release.folder).label
        body: dict[str, Any] = {"id": whole.id, "rating": "down", "author": "ada"}
        client.post("/feedback", body={**body, "correction": CORRECTION}, cast_to=object)
    return whole.id


def test_a_corrected_answer_becomes_a_row_that_leads_back_to_it(project: Path) -> None:
    event = asked(project)

    watched = speak(project, "monitor", "--json")
    assert watched.code == 0
    assert json.loads(watched.out)["data"]["requests"] == 2

    assert speak(project, "improve").code == 0
    review = project / "review.jsonl"
    (line,) = review.read_text(encoding="utf-8").splitlines()
    proposal = json.loads(line)
    assert proposal["approved"] is None
    assert proposal["row"]["source"]["uri"] == f"event:{event}"
    assert proposal["row"]["author"] == "ada"
    review.write_text(json.dumps({**proposal, "approved": True}) + "\n", encoding="utf-8")
    assert speak(project, "improve").code == 0

    recipe = project / "recipe.yaml"
    before = recipe.read_text()
    recipe.write_text(before.replace(f"[{SOURCE}]", f"[{SOURCE}, {FEEDBACK}]"))
    test = (project / "data" / "test.jsonl").read_bytes()
    said = speak(project, "curate", "--json")
    assert said.code == 0, said.err
    assert (project / "data" / "test.jsonl").read_bytes() == test
    dataset = tt.curate(recipe)
    assert dataset.counts["kept"] == tt.curate(_as_it_was(project, before)).counts["kept"] + 1

    story = speak(project, "lineage", f"event:{event}")
    assert story.code == 0, story.err
    for name in ("release-", "adapter-", "dataset-"):
        assert name in story.out
    assert dataset.name in speak(project, "lineage", f"event:{event}", "--down").out


def _as_it_was(project: Path, text: str) -> Path:
    path = project / "before.yaml"
    path.write_text(text)
    return path


def test_python_walks_the_same_circle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from examples.python.road import main

    folder = build(tmp_path)
    recipe = folder / "recipe.yaml"
    recipe.write_text(recipe.read_text() + MORE)
    main(recipe)
    printed = capsys.readouterr().out
    assert "served as tickets@" in printed
    assert "monitor: 1 requests, pass" in printed
    assert "improve: 1 new proposals, 1 await a person" in printed
