"""Answers held to a JSON Schema while they are drawn: which tokens may come next, by llguidance."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.digest import Json
from tutelage.core.errors import ContractError, MissingCapability

LOG = logging.getLogger(__name__)
WORD = 32  # tokens in a word of a mask
# Between two parts of an answer, so that no model can go on with blanks until it is cut.
BLANKS = r"[\x20\x0A\x0D\x09]{1,16}"
WHERE = "contract.output_schema"
PLAIN = re.compile(r"[\w-]+")  # keys that are patterns of themselves
NAMES = ("$id", "$schema")  # what a schema is called, which would lead references elsewhere
SAID = ("const", "enum", "default", "examples")  # values, no schemas
BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")


def schema_of(output_schema: Json) -> Json:
    """The contract's output schema as one JSON Schema: of a list of tools, a call of one of them.

    Tools' own `$ref`s lead into their parameters, which stand under `$defs`. Keys that an object
    must have come first, as the schema lists them; the others in any order.
    """
    if not isinstance(output_schema, list):
        return {} if output_schema is True else _in_any_order(output_schema)
    places: dict[str, Json] = {}
    calls: list[Json] = []
    for number, tool in enumerate(output_schema):
        function: Any = tool.get("function", tool) if isinstance(tool, Mapping) else {}
        place = f"tool{number}"
        parameters = function.get("parameters", {"type": "object"})
        places[place] = _in_any_order(_moved(parameters, f"#/$defs/{place}"))
        calls.append(
            {
                "type": "object",
                "properties": {
                    "name": {"const": function.get("name")},
                    "arguments": {"$ref": f"#/$defs/{place}"},
                },
                "required": ["name", "arguments"],
                "additionalProperties": False,
            }
        )
    return {"anyOf": calls, "$defs": places}


def writer(output_schema: Json) -> Callable[[str], bool]:
    """Whether an answer can be written under the contract's output schema, byte by byte.

    Raises: as `check_schema`.
    """
    grammar = Grammar(json.dumps(schema_of(output_schema)), Vocabulary.of_bytes())

    def writes(answer: str) -> bool:
        held = grammar.held(1)
        for byte in answer.encode():
            held.take(0, byte, told=False)
        return held.whole(0)

    return writes


def check_schema(output_schema: Json) -> None:
    """Whether a grammar can be made of the contract's output schema.

    Raises: MissingCapability without llguidance; ContractError where the schema asks for what
        no grammar can hold.
    """
    matcher = _library().LLMatcher
    grammar = _grammar(json.dumps(schema_of(output_schema)))
    wrong, messages = matcher.validate_grammar_with_warnings(grammar)
    if wrong:
        raise _refused(messages[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The bytes of a tokenizer's tokens, and which of them end an answer.

    No other marker is ever allowed.
    """

    tokens: Any
    size: int
    stop: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Any, logits: int, stop: tuple[int, ...]) -> Vocabulary:
        """Those of a tokenizer; `logits` is how many the model gives a place.

        Raises: MissingCapability without llguidance, and where tokens have no bytes to tell.
        """
        make = _library().LLTokenizer
        size = max(logits, tokenizer.get_vocab_size(with_added_tokens=True))
        try:
            tokens = make(tokenizer.to_str(), n_vocab=size, eos_token=[*stop])
        except ValueError as error:
            raise MissingCapability(
                f"the bytes of the base's tokens cannot be told: {error}",
                where="train.base",
                expected="a byte-level tokenizer, or one that falls back to bytes",
            ) from error
        return cls(tokens=tokens, size=size, stop=stop)

    @classmethod
    def of_bytes(cls) -> Vocabulary:
        """A token a byte, and one that ends an answer.

        Raises: MissingCapability without llguidance.
        """
        library = _library()
        return cls(
            tokens=library.LLTokenizer(library.TokenizerWrapper(_Bytes())),
            size=len(_Bytes.tokens),
            stop=(_Bytes.eos_token_id,),
        )


class _Bytes:
    """Single bytes, as llguidance asks for a tokenizer of one's own."""

    eos_token_id = 256
    bos_token_id = None
    tokens = (*(bytes([byte]) for byte in range(256)), b"<end>")
    special_token_ids = (256,)

    def __call__(self, text: bytes) -> list[int]:
        return list(text)


class Grammar:
    """A JSON Schema over the tokens of one vocabulary; only a whole answer may stop."""

    def __init__(self, schema: str, vocabulary: Vocabulary) -> None:
        """Raises: ContractError where the schema asks for what no grammar can hold."""
        library = _library()
        self._begun = library.LLMatcher(vocabulary.tokens, _grammar(schema), log_level=0)
        if self._begun.is_error():
            raise _refused(self._begun.get_error())
        self.words = -(-vocabulary.size // WORD)
        self.stop = vocabulary.stop
        self._executor = library.LLExecutor()

    def held(self, count: int) -> Held:
        """So many answers, none begun."""
        return Held(self, [self._begun.deep_copy() for _ in range(count)])

    def fill(self, matchers: Sequence[tuple[Any, int]], masks: NDArray[np.int32]) -> None:
        """The mask of each matcher, in the row it is given with."""
        from llguidance.numpy import fill_next_token_bitmask_par

        fill_next_token_bitmask_par(self._executor, list(matchers), masks)


class Held:
    """Answers under way, each at its own place of the grammar."""

    def __init__(self, grammar: Grammar, matchers: Sequence[Any]) -> None:
        self._grammar = grammar
        self._matchers = matchers
        self._lost: set[int] = set()

    def masks(self, answers: Sequence[int]) -> NDArray[np.uint8]:
        """Which tokens each of these answers may go on with: a bit a token, the lowest first.

        One that the grammar lost may only stop. Shapes: returns `[B, 4 * words]`.
        """
        masks = np.zeros((len(answers), self._grammar.words), dtype="<i4")
        able = [(self._matchers[one], row) for row, one in enumerate(answers) if self._kept(one)]
        if able:
            self._grammar.fill(able, masks)
        packed = masks.view(np.uint8)
        for row, one in enumerate(answers):
            if one in self._lost:
                for token in self._grammar.stop:
                    packed[row, token // 8] |= np.uint8(1 << token % 8)
        return packed

    def take(self, answer: int, token: int, *, told: bool = True) -> None:
        """One answer goes on with a token; where that cannot be, it is told and may only stop."""
        if self._kept(answer) and not self._matchers[answer].consume_token(token):
            self._lost.add(answer)
            if told:  # without the reason, which holds words of the answer
                LOG.warning("an answer is cut: the grammar can follow it no further")

    def whole(self, answer: int) -> bool:
        """Whether it satisfies the schema as it stands."""
        return self._kept(answer) and bool(self._matchers[answer].is_accepting())

    def _kept(self, answer: int) -> bool:
        return answer not in self._lost


def _grammar(schema: str) -> str:
    matcher = _library().LLMatcher
    try:
        found: str = matcher.grammar_from_json_schema(
            schema, overrides={"whitespace_pattern": BLANKS}
        )
    except ValueError as error:
        raise _refused(str(error)) from error
    return found


def _library() -> Any:
    try:
        import llguidance
    except ImportError as error:
        raise MissingCapability(
            "answers are held to a schema by `llguidance`, which is not installed",
            where="evaluate.baselines",
            hint="pip install 'tutelage[constrained]', or leave `constrained` out",
        ) from error
    return llguidance


def _refused(problem: str) -> ContractError:
    return ContractError(
        f"no grammar can be made of it: {' '.join(problem.split())}",
        where=WHERE,
        expected="a schema that can be followed token by token",
        hint="leave that keyword out, or `constrained` out of evaluate.baselines",
    )


def _in_any_order(schema: Json) -> Json:
    """The schema with `_unordered` objects, where none of its references leads into them."""
    return schema if "/properties/" in json.dumps(schema) else _unordered(schema)


def _unordered(schema: Json) -> Json:
    """The schema with its objects' optional keys as patterns, which have no order.

    A grammar writes the keys that are listed in the order of the list. An object closed to
    other keys has at most as many as it lists, so that none is repeated without end.
    """
    if isinstance(schema, list):
        return [_unordered(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    found: dict[str, Json] = {}
    for key, part in schema.items():
        if key in SAID:
            found[key] = part
        elif key in BY_NAME and isinstance(part, Mapping):
            found[key] = {name: _unordered(one) for name, one in part.items()}
        else:
            found[key] = _unordered(part)
    listed, required = found.get("properties"), found.get("required", [])
    if not isinstance(listed, dict) or "patternProperties" in found:
        return found
    free = [name for name in listed if not (isinstance(required, list) and name in required)]
    if len(free) < 2 or not all(map(PLAIN.fullmatch, free)):
        return found
    found["patternProperties"] = {f"^{name}$": listed[name] for name in free}
    found["properties"] = {name: one for name, one in listed.items() if name not in free}
    if found.get("additionalProperties") is False:
        found.setdefault("maxProperties", len(listed))
    return found


def _moved(schema: Json, root: str) -> Json:
    """The schema with references to its own root led to where it now stands."""
    if isinstance(schema, list):
        return [_moved(one, root) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {key: _moved_part(key, part, root) for key, part in schema.items() if key not in NAMES}


def _moved_part(key: str, part: Json, root: str) -> Json:
    if key == "$ref" and isinstance(part, str) and part.startswith("#"):
        return root + part.removeprefix("#")
    if key in SAID:
        return part
    if key in BY_NAME and isinstance(part, Mapping):
        return {name: _moved(one, root) for name, one in part.items()}
    return _moved(part, root)
