"""A few random conversations on every kind of template; `benchmarks/contract.py` has many more."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.render.families import FAMILIES, family_contract
from tests.render.fuzz import TWENTY, Tally, conversation_of, recorder, request_of
from tutelage.engine.fake import FakeEngine
from tutelage.serve.app import make_app

NUMBERS = range(40)


@pytest.mark.parametrize("name", TWENTY)
def test_words_forge_and_lose_nothing_on_their_way_to_the_engine(tmp_path: Path, name: str) -> None:
    contract = family_contract(tmp_path / "base", name, forged="keep")
    tally = Tally()
    tally.check(contract, NUMBERS)
    assert tally.wrong == []
    assert tally.taught > 20
    assert tally.taught + tally.refused.total() == len(NUMBERS)
    answerer = recorder(contract, name, tmp_path)
    with TestClient(make_app(answerer), base_url="http://localhost:8000") as client:
        for number, taught in tally.digests.items():
            form = request_of(conversation_of(number), name)
            answer = client.post("/v1/chat/completions", json=form)
            assert answer.status_code == 200, answer.text
            assert answer.json()["choices"][0]["message"]["content"] == taught
    engine = answerer.served.engine
    assert isinstance(engine, FakeEngine)
    assert len(engine.seen) == tally.taught


def test_a_contract_that_takes_no_marker_apart_is_found_out(tmp_path: Path) -> None:
    contract = family_contract(tmp_path, "Qwen-Qwen3-0.6B", forged="keep")
    contract.renderer.encoder.shielded = lambda text, spoken=False: text  # type: ignore[method-assign]
    tally = Tally()
    tally.check(contract, NUMBERS)
    assert any("a special token is forged" in problem for problem in tally.wrong)


def test_twenty_families_are_drawn_on() -> None:
    assert len(set(TWENTY)) == 20
    assert set(TWENTY) <= set(FAMILIES)
