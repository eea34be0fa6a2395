"""Tokens the base did not have: taught, served, released, and told from the words of messages."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.journey.project import build, speak
from tests.journey.test_bases import GPT2, with_base
from tests.micro import SPECIALS, TEMPLATE
from tests.release.project import copied, released, sealed
from tests.serve.loopback import loopback
from tests.train.test_keys import trained
from tutelage.core.conversation import Conversation, Message
from tutelage.core.errors import BaseModelError, ContractError, RecipeError
from tutelage.core.recipe import NewToken, load, loads
from tutelage.engine.attention import layout
from tutelage.engine.local import LocalEngine
from tutelage.engine.logprob import head_logits
from tutelage.engine.protocol import Decoding, Prompt
from tutelage.engine.release import open_release
from tutelage.render.contract import Contract
from tutelage.render.lesson import Lesson
from tutelage.render.pack import pack
from tutelage.serve.run import Place, open_app
from tutelage.store.artifact import Artifact
from tutelage.store.base import BaseFolder, find_base, read_new_tokens
from tutelage.store.release import ReleaseFolder
from tutelage.store.run import Run
from tutelage.train import checkpoint
from tutelage.train.batch import batch_of
from tutelage.train.checkpoint import State
from tutelage.train.step import gradient
from tutelage.train.weights import open_learner, open_optimizers

ROWS = [{"step": 1.0}, {"step": 2.0}]
LETTERS = 258  # ids of the micro base
BILLING, DESK = LETTERS, LETTERS + 1
KEYS = 'new_tokens: [billing, {text: "<|desk|>", special: true}]'
TOKENS = (NewToken(text="billing"), NewToken(text="<|desk|>", special=True))
ASKED = Conversation(messages=(Message(role="user", content="billing or not?"),))
METHODS = {
    "full": "full",
    "lora": "lora\n  lora: {rank: 4}\n  learning_rate: 0.02",
    "qlora": "qlora\n  lora: {rank: 4, dora: true}\n  learning_rate: 0.02",
}


def project(folder: Path) -> Path:
    """The micro project, its template beginning with a marker of its own."""
    recipe = build(folder) / "recipe.yaml"
    template = json.dumps("<|desk|>" + TEMPLATE)
    text = recipe.read_text().replace(
        "contract:\n", f"contract:\n  template: {{name: desk, text: {template}}}\n"
    )
    recipe.write_text(text.replace("  method: full\n", f"  method: full\n  {KEYS}\n"))
    return folder


def contract_of(folder: Path, tokens: tuple[NewToken, ...] = TOKENS) -> tuple[Contract, BaseFolder]:
    recipe = load(folder / "recipe.yaml")
    base = find_base("base", folder, tokens)
    return Contract.open(recipe.contract, base, recipe), base


@pytest.mark.parametrize("frozen", ["embed_tokens", r"model\.embed_tokens\.weight"])
def test_tables_that_have_new_rows_are_not_frozen(tmp_path: Path, frozen: str) -> None:
    words = ("train.new_tokens=[billing]", f"train.freeze=['{frozen}']")
    with pytest.raises(BaseModelError, match="new tokens would stay as they begin") as caught:
        trained(build(tmp_path), *words)
    assert caught.value.where == "train.freeze"


def row(ids: list[int], engine: Any) -> torch.Tensor:
    """Logits at every place of a row."""
    every, plan = torch.arange(len(ids)), layout(np.full(len(ids), len(ids), dtype=np.int32))
    backbone = engine._backbone
    with torch.no_grad():
        hidden = backbone.hidden(torch.tensor(ids), every, plan, every)
        return head_logits(hidden, backbone.head, None, backbone.beside_head(hidden))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> ReleaseFolder:
    folder = tmp_path_factory.mktemp("released")
    return released(folder, method=f"{METHODS['lora']}\n  {KEYS}")


def test_a_plain_token_is_read_whole_and_a_special_one_only_where_the_template_writes_it(
    place: Path,
) -> None:
    contract, _ = contract_of(place)
    said = "billing <|desk|> <|im_end|>"
    ids = contract.prompt_ids(Conversation(messages=(Message(role="user", content=said),)))
    assert ids.count(BILLING) == 1
    assert ids.count(DESK) == 1
    assert ids[0] == DESK
    assert said in contract.decode(ids)  # spelt out: special tokens are left out of this
    plain, _ = contract_of(place, (NewToken(text="<|desk|>"),))
    assert plain.prompt_ids(ASKED).count(LETTERS) == 1


def test_a_golden_holds_the_new_tokens_and_the_contract_their_ids(place: Path) -> None:
    contract, base = contract_of(place)
    form = contract.to_dict()
    assert form["new_tokens"] == {"billing": BILLING, "<|desk|>": DESK}
    golden = contract.goldens["new_tokens"]
    assert golden is not None
    assert golden.ids.count(BILLING) == 2
    assert golden.ids.count(DESK) == 1
    assert "new_tokens" not in contract_of(place, ())[0].goldens
    again = Contract.from_dict(json.loads(json.dumps(form)), base)
    assert again.digest == contract.digest
    for other in ((), TOKENS[::-1], (NewToken(text="billing", special=True), TOKENS[1])):
        with pytest.raises(ContractError) as caught:
            Contract.from_dict(form, find_base("base", place, other))
        assert {"new_tokens", "tokenizer"} & {
            one.where.partition(".")[0] for one in caught.value.rows
        }


def test_what_cannot_be_added_is_told_together(place: Path) -> None:
    tokens = tuple(NewToken(text=one) for one in ("fresh", SPECIALS[0], "a"))
    with pytest.raises(BaseModelError) as caught:
        contract_of(place, tokens)
    assert [one.where for one in caught.value.rows] == [f"`{SPECIALS[0]}`", "`a`"]
    with pytest.raises(RecipeError, match="`x` is named twice"):
        loads("name: a\ntrain: {base: b, new_tokens: [x, {text: x, special: true}]}")
    with pytest.raises(RecipeError, match="new_tokens"):
        loads('name: a\ntrain: {base: b, new_tokens: [{text: " "}]}')


@pytest.mark.parametrize("method", list(METHODS))
def test_new_tokens_are_taught_and_what_is_saved_is_what_transformers_and_peft_compute(
    method: str, tmp_path: Path
) -> None:
    recipe = project(tmp_path) / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("method: full", f"method: {METHODS[method]}"))
    made = trained(tmp_path)
    folder = made.folder / "adapter"
    contract, base = contract_of(tmp_path)
    assert made.counts["new_tokens"] == 2
    assert read_new_tokens(folder) == TOKENS
    assert json.loads((folder / "new_tokens.json").read_text())["added"] == 2
    engine = LocalEngine.open(base, folder, decode=contract.decode, precision="fp32")
    plain = LocalEngine.open(base, None, decode=contract.decode, precision="fp32")
    tables = [one._backbone.embeddings[0] for one in (plain, engine)]
    assert (tables[0][LETTERS:] != tables[1][LETTERS:]).any(1).all()  # both were taught
    mean = tables[0][[ord(one) - ord("!") for one in "billing"]].mean(0)
    torch.testing.assert_close(tables[0][BILLING], mean)

    ids = [*contract.prompt_ids(ASKED), BILLING]
    assert AutoTokenizer.from_pretrained(folder)("billing<|desk|>").input_ids == [BILLING, DESK]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the libraries they import
        theirs = opened(tmp_path / "base", folder)
        expected = theirs(torch.tensor([ids])).logits[0]
    torch.testing.assert_close(row(ids, engine), expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(row(ids, plain), expected, atol=1e-3)


def opened(base: Path, folder: Path) -> Any:
    """What transformers and plain PEFT make of a saved adapter."""
    from peft import PeftModel

    if (folder / "tuned.json").exists():
        config = json.loads((base / "config.json").read_text())
        rows = load_file(folder / "model.safetensors")["model.embed_tokens.weight"].shape[0]
        own = folder.parent.parent / "whole"
        own.mkdir()
        (own / "config.json").write_text(json.dumps(config | {"vocab_size": rows}))
        (own / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
        return AutoModelForCausalLM.from_pretrained(own, dtype=torch.float32).eval()
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model.resize_token_embeddings(len(AutoTokenizer.from_pretrained(folder)), mean_resizing=False)
    return PeftModel.from_pretrained(model, folder).eval()


@pytest.mark.parametrize("optimizer", ["adamw", "adamw8bit", "muon"])
def test_rows_of_new_tokens_are_resumed_to_the_same_bits(
    place: Path, optimizer: str, tmp_path: Path
) -> None:
    keys = ("train.method=lora", f"train.optimizer={optimizer}", "train.learning_rate=0.01")
    recipe = load(place / "recipe.yaml", keys)
    assert recipe.train is not None
    base = find_base("base", place, TOKENS)
    lesson = Lesson(prompt=(DESK, 5, BILLING), completion=(7, BILLING, 9), row="a")
    with Run.open(recipe) as run:
        (batch,) = (batch_of(one) for one in pack([lesson], 64, run.generator("rows")))
        checkpoints = run.store.checkpoints(f"rows-{optimizer}")
        found = []
        for first, last in ((0, 4), (2, 4)):
            learner = open_learner(recipe.train, base, run)
            rules = open_optimizers(recipe.train, learner, 0.01)
            checkpoint.resume(checkpoints, learner, rules)
            for step in range(first, last):
                if step == 2 and first == 0:
                    checkpoint.saving(checkpoints, State(step=2, rows=ROWS), learner, rules)()
                gradient(learner.backbone, [batch])
                for rule, _ in rules:
                    rule.step()
                    rule.zero_grad()
            found.append(learner.state())
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(one, found[1][name]) for name, one in found[0].items())
    change = next(one for name, one in found[0].items() if "new_rows" in name)
    assert (change != 0).any(1).all()


def test_a_base_on_the_hf_backbone_takes_new_tokens(
    tmp_path: Path,
) -> None:
    with_base(tmp_path, GPT2)
    made = trained(
        tmp_path, "train.method=lora", "train.learning_rate=0.05", "train.new_tokens=[billing]"
    )
    base = find_base("base", tmp_path, TOKENS[:1])
    folder = made.folder / "adapter"
    engine = LocalEngine.open(base, folder, decode=str, precision="fp32")
    (new,) = AutoTokenizer.from_pretrained(folder)("billing").input_ids
    ids = [5, new, 8, new, 9]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the libraries they import
        expected = opened(tmp_path / "base", folder)(torch.tensor([ids])).logits[0]
    torch.testing.assert_close(row(ids, engine), expected, atol=1e-4, rtol=1e-4)
    plain = LocalEngine.open(base, None, decode=str, precision="fp32")
    assert not torch.allclose(row(ids, plain), expected, atol=1e-3)


def test_tokens_of_another_tokenizer_are_not_taken(place: Path) -> None:
    def made(*overrides: str) -> tuple[Artifact, dict[str, Any]]:
        adapter = trained(place, *overrides)
        digest = adapter.manifest.inputs["tokens"]
        every = (place / ".tutelage" / "store").glob("tokens-*/manifest.json")
        forms = (json.loads(one.read_text()) for one in every)
        return adapter, next(form for form in forms if form["digest"] == digest)

    first, tokens = made()
    second, others = made("train.new_tokens=[shipping, {text: '<|desk|>', special: true}]")
    assert tokens["digest"] != others["digest"]
    assert others["counts"]["rows_rendered"] == others["counts"]["rows"] > 0
    assert first.digest != second.digest


def test_an_adapter_is_not_put_on_a_base_with_other_tokens(place: Path) -> None:
    folder = trained(place).folder / "adapter"
    contract, _ = contract_of(place)
    for tokens, where in (((), ["`billing`", "`<|desk|>`"]), (TOKENS[1:], ["`billing`"])):
        base = find_base("base", place, tokens)
        with pytest.raises(BaseModelError, match="other new tokens") as caught:
            LocalEngine.open(base, folder, decode=contract.decode)
        assert [one.where for one in caught.value.rows] == where


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_training_goes_on_with_the_same_new_tokens_and_no_others(
    place: Path, method: str
) -> None:
    keys = (f"train.method={method}", *(("train.lora.rank=4",) if method == "lora" else ()))
    first = trained(place, *keys)
    start = f"train.start_from={first.name}"
    second = trained(place, *keys, start, "train.learning_rate=1e-9")
    tables = [rows_of(one) for one in (first, second)]
    torch.testing.assert_close(tables[1], tables[0], atol=1e-3, rtol=0)
    with pytest.raises(BaseModelError, match="other new tokens"):
        trained(place, *keys, start, "train.new_tokens=[{text: '<|desk|>', special: true}]")


def rows_of(adapter: Artifact) -> torch.Tensor:
    held: dict[str, torch.Tensor] = {}
    for path in (adapter.folder / "adapter").glob("*.safetensors"):
        held |= load_file(path)
    name = next(name for name in held if "embed_tokens" in name)
    return held[name][-2:].float()


def test_an_adapter_on_the_head_beside_new_tokens_is_refused(place: Path) -> None:
    keys = ("train.method=lora", "train.lora.targets=[lm_head]")
    with pytest.raises(BaseModelError, match="both change the head's new rows"):
        trained(place, *keys)


def test_a_release_answers_with_its_new_tokens_and_is_verified(
    release: ReleaseFolder, tmp_path: Path
) -> None:
    moved = copied(release, tmp_path)
    opened = open_release(moved, base=str(tmp_path / "base"))
    assert opened.base.new_tokens == TOKENS
    ids = opened.contract.prompt_ids(ASKED)
    assert BILLING in ids
    (answer,) = opened.engine.generate([Prompt(ids=ids)], Decoding(max_new_tokens=4))
    assert answer.ids
    said = speak(tmp_path, "verify", str(moved.folder), "--base", "base")
    assert said.code == 0, said.err
    assert "6 golden conversations" in said.out


def test_served_and_in_a_chat_a_request_holds_the_new_token(
    release: ReleaseFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_release(release)
    ids = opened.contract.prompt_ids(ASKED)
    decoding = Decoding(max_new_tokens=8, stop=opened.contract.stop_ids)
    (expected,) = opened.engine.generate([Prompt(ids=ids)], decoding)
    body = {"model": release.label, "messages": [{"role": "user", "content": "billing or not?"}]}
    with loopback(open_app(release, Place())) as url:
        answer = httpx2.post(f"{url}/v1/chat/completions", json=body, timeout=60).json()
    assert answer["choices"][0]["message"]["content"] == expected.text
    assert answer["usage"]["prompt_tokens"] == len(ids)
    assert BILLING in ids
    monkeypatch.setattr("sys.stdin", io.StringIO("billing or not?\n"))
    assert release.project is not None
    said = speak(release.project, "chat", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out.splitlines()[0])["tuned"]["answer"] == expected.text


def test_a_release_that_says_other_tokens_is_refused(
    release: ReleaseFolder, tmp_path: Path
) -> None:
    moved = copied(release, tmp_path)
    path = moved.adapter / "new_tokens.json"
    path.write_text(path.read_text().replace("billing", "shipping"))
    spoilt = sealed(moved.folder)
    with pytest.raises(ContractError, match="the tokens added to the tokenizer are not those"):
        open_release(spoilt, base=str(tmp_path / "base"))
    path.write_text("{}")
    with pytest.raises(BaseModelError, match=r"new_tokens\.json cannot be read"):
        open_release(sealed(moved.folder), base=str(tmp_path / "base"))
