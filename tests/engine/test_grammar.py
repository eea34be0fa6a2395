"""Answers of models whose weights are random: whatever they would say, they satisfy the schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from tests.engine.models import VOCABULARY, lessons, saved_model
from tests.render.vocabularies import tokenizer_of
from tutelage.core.digest import Json
from tutelage.core.errors import ContractError, MissingCapability
from tutelage.engine.ending import comes_to_an_end
from tutelage.engine.fake import FakeEngine
from tutelage.engine.grammar import Grammar, Vocabulary, check_schema, schema_of, writer
from tutelage.engine.local import LocalEngine
from tutelage.engine.protocol import Decoding, Generation, Prompt
from tutelage.score.parse import parse
from tutelage.score.schema import Schema

llguidance = pytest.importorskip("llguidance", reason="extra `constrained`")
PROMPTS = [Prompt(ids=lesson.prompt) for lesson in lessons()]
STOP = 257
LABELS: Json = {
    "type": "object",
    "properties": {"team": {"enum": ["billing", "shipping"]}, "urgent": {"type": "boolean"}},
    "required": ["team"],
    "additionalProperties": False,
}
TOOLS: Json = [
    {
        "type": "function",
        "function": {
            "name": "Play",
            "parameters": {
                "type": "object",
                "properties": {"artist": {"$ref": "#/$defs/name"}, "loud": {"type": "boolean"}},
                "required": ["artist"],
                "additionalProperties": False,
                "$defs": {"name": {"type": "string", "maxLength": 6}},
            },
        },
    },
    {"name": "Stop"},
    {"name": "Count", "parameters": {"type": "object", "properties": {"to": {"type": "integer"}}}},
]


def of_bytes() -> Any:
    """A tokenizer of single bytes and two markers, the second of which ends an answer."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: at for at, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    marks = [AddedToken(text, normalized=False) for text in ("<|start|>", "<|end|>")]
    tokenizer.add_special_tokens(marks)
    return tokenizer


def engine_of(folder: Path, family: str) -> LocalEngine:
    base, _ = saved_model(family, folder)
    tokenizer = of_bytes()
    tokenizer.save(str(folder / "tokenizer.json"))
    return LocalEngine.open(base, None, decode=tokenizer.decode, precision="fp32")


def grammar_of(schema: str, tokenizer: Any, logits: int, stop: tuple[int, ...]) -> Grammar:
    return Grammar(schema, Vocabulary.of(tokenizer, logits, stop))


def held_to(schema: Json, **decoding: Any) -> Decoding:
    given = {"max_new_tokens": 120, "stop": (STOP,), **decoding}
    return Decoding(schema=json.dumps(schema_of(schema)), **given)


def answered(
    engine: LocalEngine, schema: Json, prompts: Sequence[Prompt] = PROMPTS, **decoding: Any
) -> list[Generation]:
    return list(engine.generate(prompts, held_to(schema, **decoding)))


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("schema", [LABELS, TOOLS], ids=["labels", "tools"])
def test_an_answer_satisfies_the_schema_unless_it_is_cut(
    schema: Json, family: str, tmp_path: Path
) -> None:
    engine = engine_of(tmp_path, family)
    scorer = Schema(schema)
    whole = 0
    for temperature in (0.0, 1.0, 2.0):
        for one in answered(engine, schema, temperature=temperature, seed=3):
            if one.stop == "stop":
                whole += 1
                assert parse(one.text).ok, one.text
                assert scorer.valid(one.text), one.text
            else:
                assert len(one.ids) == 120
    assert whole >= len(PROMPTS)


def test_what_is_free_says_something_else(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, "llama")
    free = engine.generate(PROMPTS, Decoding(max_new_tokens=20, stop=(STOP,)))
    assert not any(parse(one.text).ok for one in free)


def test_held_answers_depend_on_no_batch_and_no_order(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, "llama")
    together = [one.text for one in answered(engine, TOOLS)]
    assert [answered(engine, TOOLS, [prompt])[0].text for prompt in PROMPTS] == together
    assert [one.text for one in answered(engine, TOOLS, PROMPTS[::-1])] == together[::-1]


def test_a_held_answer_streams_as_it_is_generated(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, "llama")
    for temperature in (0.0, 1.0):
        decoding = held_to(LABELS, temperature=temperature, seed=1)
        chunks = list(engine.stream(PROMPTS[0], decoding))
        (whole,) = engine.generate(PROMPTS[:1], decoding)
        assert "".join(chunk.text for chunk in chunks) == whole.text
        assert chunks[-1].stop == whole.stop


def test_log_probabilities_are_those_among_what_was_allowed(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, "llama")
    (one,) = answered(engine, {"const": "x"}, PROMPTS[:1])
    assert one.text == '"x"'
    np.testing.assert_allclose(one.logprobs[1:], 0.0, atol=1e-6)  # nothing else could stand there


def allowed(grammar: Grammar, ids: Sequence[int]) -> set[int]:
    """The tokens that may follow."""
    held = grammar.held(1)
    for token in ids:
        held.take(0, token)
    bits = np.unpackbits(held.masks([0])[0], bitorder="little")
    return set(np.flatnonzero(bits).tolist())


def test_an_answer_may_stop_where_it_is_whole_and_nowhere_else() -> None:
    tokenizer = of_bytes()
    grammar = grammar_of(json.dumps(LABELS), tokenizer, VOCABULARY, (STOP,))
    ids = tokenizer.encode('{"team": "billing"}').ids
    for length in range(len(ids)):
        assert STOP not in allowed(grammar, ids[:length])
    assert allowed(grammar, ids) == {STOP}
    assert allowed(grammar, []) == {tokenizer.token_to_id("{")}
    assert 256 not in allowed(grammar, ids[:10])  # the other marker


def test_any_of_several_stop_tokens_ends_an_answer() -> None:
    grammar = grammar_of('{"const": 1}', of_bytes(), VOCABULARY, (STOP, 256))
    assert allowed(grammar, of_bytes().encode("1").ids) == {STOP, 256}


def test_blanks_between_parts_come_to_an_end() -> None:
    tokenizer = of_bytes()
    grammar = grammar_of(json.dumps(LABELS), tokenizer, VOCABULARY, (STOP,))
    blank = tokenizer.encode(" ").ids
    opened = tokenizer.encode("{").ids
    assert set(blank) <= allowed(grammar, [*opened, *blank * 15])
    assert not set(blank) & allowed(grammar, [*opened, *blank * 16])
    assert allowed(grammar, [*opened, *tokenizer.encode("\n  ").ids])


@pytest.mark.parametrize("name", ["gpt-2", "gpt-neox", "phi-3", "mistral-v1", "mistral-v3"])
def test_tokens_of_real_tokenizers_are_known_by_their_bytes(name: str) -> None:
    tokenizer = tokenizer_of(name)
    size = tokenizer.get_vocab_size()
    stop = tokenizer.token_to_id("</s>") or 0
    grammar = grammar_of(json.dumps(LABELS), tokenizer, size, (stop,))
    draw = np.random.default_rng(0)
    for _ in range(8):
        held, ids = grammar.held(1), []
        for _ in range(200):
            bits = np.unpackbits(held.masks([0])[0], bitorder="little")
            token = int(draw.choice(np.flatnonzero(bits)))
            if token == stop:
                break
            ids.append(token)
            held.take(0, token)
        assert held.whole(0)
        assert Schema(LABELS).valid(tokenizer.decode(ids)), tokenizer.decode(ids)


def test_tokens_without_bytes_are_refused_by_name() -> None:
    with pytest.raises(MissingCapability, match="bytes of the base's tokens"):
        grammar_of(json.dumps(LABELS), tokenizer_of("bge"), 40000, (0,))


def test_a_schema_no_grammar_can_hold_is_refused() -> None:
    check_schema(LABELS)
    check_schema(TOOLS)
    with pytest.raises(ContractError, match="no grammar can be made") as raised:
        check_schema({"type": "array", "items": {"type": "integer"}, "uniqueItems": True})
    assert raised.value.where == "contract.output_schema"
    assert "constrained" in raised.value.hint


LOOP: Json = {
    "type": "object",
    "properties": {"next": {"$ref": "#/$defs/a"}},
    "required": ["next"],
}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ([{"name": "Play"}, {"name": "Play"}], 'two tools are called "Play"'),
        ([{"name": "Play"}, {}, {"function": {"name": ""}}], "of 3 tools, these .* no name: 2, 3"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "leads into itself"),
        ({"$ref": "#/$defs/a", "$defs": {"a": LOOP}}, "leads into itself"),
        (
            {"type": "array", "items": {"$ref": "#"}, "minItems": 1},
            "leads into itself",
        ),
        ({"oneOf": [{"type": "string"}, {"minLength": 3}]}, "oneOf"),
    ],
)
def test_what_no_answer_could_satisfy_is_refused_in_words_of_the_recipe(
    schema: Json, told: str
) -> None:
    with pytest.raises(ContractError, match=told) as raised:
        check_schema(schema)
    assert "coerce" not in str(raised.value)
    assert ("anyOf" in raised.value.hint) == ("oneOf" in told)


def chain(length: int, end: Json) -> Json:
    """Definitions that each hold the next one twice."""
    sides = ("left", "right")
    parts: dict[str, Json] = {"a0": end}
    for at in range(1, length):
        held: Json = {side: {"$ref": f"#/$defs/a{at - 1}"} for side in sides}
        parts[f"a{at}"] = {"type": "object", "properties": held, "required": [*sides]}
    return {"$ref": f"#/$defs/a{length - 1}", "$defs": parts}


def test_definitions_that_hold_each_other_again_and_again_are_each_looked_at_once() -> None:
    assert comes_to_an_end(chain(200, {"type": "string"}))
    assert not comes_to_an_end(chain(200, {"$ref": "#/$defs/a199"}))
    ways: Json = {"anyOf": [{"$ref": f"#/$defs/a{at}"} for at in range(200)]}
    assert comes_to_an_end({**chain(200, {"type": "null"}), **ways})  # type: ignore[dict-item]


def test_what_may_end_though_it_leads_into_itself_is_taken() -> None:
    check_schema({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [LOOP, {"type": "null"}]}}})
    check_schema({"type": "array", "items": {"$ref": "#"}})


def test_an_object_of_a_least_number_of_keys_is_refused_where_one_could_count_twice() -> None:
    keys: Json = {name: {"type": "integer"} for name in "abc"}
    closed = {"type": "object", "properties": keys, "additionalProperties": False}
    with pytest.raises(ContractError, match="Properties"):
        check_schema({**closed, "minProperties": 2})
    check_schema({**closed, "minProperties": 1, "required": ["a"]})


def test_a_tool_s_references_stay_its_own() -> None:
    form = schema_of(TOOLS)
    assert isinstance(form, dict)
    kept = form["$defs"]["tool0"]["properties"]["artist"]
    assert kept == {"$ref": "#/$defs/tool0/$defs/name"}
    assert schema_of(LABELS) == LABELS


@pytest.mark.parametrize(
    ("answer", "written"),
    [
        ('{"name": "Play", "arguments": {"artist": "Bach", "loud": true}}', True),
        ('{"name": "Find", "arguments": {"year": 1, "title": "x", "by": "y"}}', True),
        ('{"name": "Find", "arguments": {"by": "y", "title": "x"}}', True),
        ('{"name": "Find", "arguments": {}}', True),
        ('{"name": "Find", "arguments": {"other": 1}}', False),
        ('{"name": "Find", "arguments": {"year": "x"}}', False),
        ('{"name": "Find", "arguments": {"by": "a", "by": "b", "by": "c", "by": "d"}}', False),
        ('{"arguments": {}, "name": "Find"}', False),
        ('{"name": "Find", "arguments": {}', False),
    ],
)
def test_keys_an_object_may_have_stand_in_any_order(answer: str, written: bool) -> None:
    listed = {"title": {"type": "string"}, "by": {"type": "string"}, "year": {"type": "integer"}}
    form = {"type": "object", "properties": listed, "additionalProperties": False}
    tools = [*TOOLS, {"name": "Find", "parameters": form}]
    assert writer(tools)(answer) == written


def test_an_engine_without_a_grammar_says_so(tmp_path: Path) -> None:
    engine = FakeEngine(lambda prompt: "hello")
    with pytest.raises(MissingCapability, match="cannot hold answers to a schema"):
        list(engine.generate(PROMPTS, held_to(LABELS)))
    base, _ = saved_model("llama", tmp_path)
    opened = LocalEngine.open(base, None, decode=str, precision="fp32")
    bare = LocalEngine(opened._backbone, opened.identity, str)
    assert "grammar" in opened.capabilities
    assert "grammar" not in bare.capabilities
    with pytest.raises(MissingCapability, match="cannot hold answers to a schema"):
        next(bare.stream(PROMPTS[0], held_to(LABELS)))
