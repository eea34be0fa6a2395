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
from tutelage.engine.ending import comes_to_an_end
from tutelage.engine.reshaped import in_any_order, moved

LOG = logging.getLogger(__name__)
WORD = 32  # tokens in a word of a mask
# Between two parts of an answer, so that no model can go on with blanks until it is cut.
BLANKS = r"[\x20\x0A\x0D\x09]{1,16}"
WHERE = "contract.output_schema"
ADVICE = re.compile(r",?\s*\(?\b(Enable|Use|Set|Try)\b[^.;]*'coerce_one_of'[^.;)]*[.;)]?")


def schema_of(output_schema: Json) -> Json:
    """The contract's output schema as one JSON Schema: of a list of tools, a call of one of them.

    Tools' own `$ref`s lead into their parameters, which stand under `$defs`. Keys that an object
    must have come first, as the schema lists them; the others in any order.
    """
    if not isinstance(output_schema, list):
        return {} if output_schema is True else in_any_order(output_schema)
    places: dict[str, Json] = {}
    calls: list[Json] = []
    for number, tool in enumerate(output_schema):
        function = _function(tool)
        place = f"tool{number}"
        parameters = function.get("parameters", {"type": "object"})
        places[place] = in_any_order(moved(parameters, f"#/$defs/{place}"))
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


def _function(tool: Json) -> Any:
    return tool.get("function", tool) if isinstance(tool, Mapping) else {}


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
    tools = output_schema if isinstance(output_schema, list) else []
    bare = [at for at, tool in enumerate(tools, 1) if not _function(tool).get("name")]
    if bare:
        places = ", ".join(map(str, bare))
        raise _refused(f"of {len(tools)} tools, these have no name: {places}")
    names = [json.dumps(_function(tool)["name"]) for tool in tools]
    if twice := [one for number, one in enumerate(names) if one in names[:number]]:
        raise _refused(f"two tools are called {twice[0]}")
    whole = schema_of(output_schema)
    if not comes_to_an_end(whole):
        raise _refused("what must be there leads into itself, so that no answer comes to an end")
    grammar = _grammar(json.dumps(whole))
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
    words = ADVICE.sub("", " ".join(problem.split()))
    return ContractError(
        f"no grammar can be made of it: {words}",
        where=WHERE,
        expected="a schema that can be followed token by token",
        hint="write `anyOf`, where one of several holds"
        if "oneOf" in words
        else "leave that keyword out, or `constrained` out of evaluate.baselines",
    )
