"""Invented conversations that turn requests into calls, labels and fields."""

import json
from collections.abc import Sequence
from random import Random

from tutelage.bases.spans import Bank
from tutelage.bases.vocabulary import chat
from tutelage.bases.words import listed
from tutelage.bases.worlds import Function, Request, request, world

Turn = tuple[str, str]

CONVERT = listed(
    "Convert;Map;Translate;Rewrite;Parse;Express;Change;Put;Transform;Encode;Cast;Interpret"
)
INPUT = listed(
    "the user's message;this request;what the user says;the following sentence;each message;"
    "the utterance;the command;what is asked;the text;the user's wish;every request;the input"
)
CALL = listed(
    "a function call;one API call;a single call;a JSON call;the matching tool call;an action;"
    "a call to one of the tools;a structured command"
)
ONLY = listed(
    "Answer with JSON only.;Write nothing else.;Output just the object.;No explanation.;"
    "Return only JSON.;Do not add any other words.;The answer is one line of JSON.;"
    "Keep every value exactly as it is written.;Copy values word for word."
)
SHAPES: dict[str, tuple[str, ...]] = {
    "call": listed(
        'Use the keys name and arguments.;The object has "name" and "arguments".;'
        'Format: {"name": ..., "arguments": {...}}.;Give name and arguments.;'
    ),
    "flat": listed('Use one flat object with "intent" first.;Give the intent and its fields.;'),
    "slots": listed('Use the keys "intent" and "slots".;Give intent and slots.'),
    "python": listed("Write it as a function call in code.;Use the form name(argument=value)."),
    "lines": listed("Write one field per line.;First the action, then each field on its own line."),
    "pairs": listed(
        "Give a list of [field, value] pairs.;Output the fields as a JSON list of pairs."
    ),
    "marked": listed(
        "Mark each value in the text as [field: value].;Repeat the text with values in brackets."
    ),
    "label": listed(
        "Say only which function it is.;Answer with the label.;Classify it; give the name only."
    ),
    "intent": listed('Answer as {"intent": ...}.;Give {"intent": NAME} and nothing more.'),
}
WEIGHTS = {
    "call": 66, "flat": 5, "slots": 5, "python": 3, "lines": 4, "pairs": 3, "marked": 6, "label": 4,
    "intent": 4,
}  # fmt: skip
NOTHING = listed("none;unknown;other;out_of_scope;no_match;None;unsupported")


def gathered(filled: Sequence[tuple[str, str]]) -> dict[str, str | list[str]]:
    """Values by slot in the order said; a slot said twice holds a list."""
    out: dict[str, str | list[str]] = {}
    for slot, text in filled:
        held = out.get(slot)
        if held is None:
            out[slot] = text
        else:
            out[slot] = [*held, text] if isinstance(held, list) else [held, text]
    return out


def written(asked: Request, shape: str, order: Sequence[str] = ()) -> str:
    """The answer to a request in one of the shapes, arguments in the order said or given."""
    filled = sorted(asked.filled, key=lambda pair: order.index(pair[0])) if order else asked.filled
    arguments = gathered(filled)
    name = asked.function
    if shape == "label":
        return name
    if shape == "marked":
        return "".join(f"[{slot}: {piece}]" if slot else piece for piece, slot in asked.pieces)
    if shape == "lines":
        rows = [f"{slot}: {text}" for slot, text in filled]
        return "\n".join([name, *rows])
    if shape == "python":
        inner = ", ".join(
            f"{slot}={json.dumps(text, ensure_ascii=False)}" for slot, text in arguments.items()
        )
        return f"{name}({inner})"
    content: object = {
        "call": {"name": name, "arguments": arguments},
        "flat": {"intent": name, **arguments},
        "slots": {"intent": name, "slots": arguments},
        "pairs": [[slot, text] for slot, text in filled],
        "intent": {"intent": name},
    }[shape]
    return json.dumps(content, ensure_ascii=False)


def refusal(shape: str, label: str) -> str:
    """What a shape answers when nothing fits."""
    return written(Request(text="", function=label, filled=(), pieces=()), shape)


def instruction(draw: Random, shape: str) -> str:
    """A wish worded afresh."""
    parts = [f"{draw.choice(CONVERT)} {draw.choice(INPUT)} into {draw.choice(CALL)}."]
    if shape in ("label", "marked", "pairs", "lines", "python", "intent"):
        parts = [f"Read {draw.choice(INPUT)}."] if draw.random() < 0.7 else []
    if draw.random() < 0.75 or shape != "call":
        parts.append(draw.choice(SHAPES[shape]))
    if draw.random() < 0.5 and shape not in ("label", "marked", "python", "lines"):
        parts.append(draw.choice(ONLY))
    return " ".join(part for part in parts if part)


def menu(functions: Sequence[Function], draw: Random, shape: str) -> str:
    """The functions listed for the model, in one of several manners."""
    shown = draw.sample(functions, len(functions))
    style = draw.choice(("tools", "signature", "signature", "names", "bullets"))
    if shape in ("label", "intent") or style == "names":
        return draw.choice(("Labels: ", "Functions: ", "Choose from: ", "Options: ")) + ", ".join(
            function.name for function in shown
        )
    if style == "tools":
        tools = (
            {
                "type": "function",
                "function": {
                    "name": function.name,
                    "parameters": {
                        "type": "object",
                        "properties": {slot.name: {"type": "string"} for slot in function.slots},
                    },
                },
            }
            for function in shown
        )
        return "\n".join(["Functions:", *(json.dumps(tool, ensure_ascii=False) for tool in tools)])
    lines = [f"{f.name}({', '.join(slot.name for slot in f.slots)})" for f in shown]
    if style == "bullets":
        lines = [f"- {f.name}: {', '.join(slot.name for slot in f.slots)}" for f in shown]
    return "\n".join([draw.choice(("Functions:", "Tools:", "Available:", "You can call:")), *lines])


def conversation(bank: Bank, draw: Random) -> str:
    """A system wish and one or more requests with their answers over one function set."""
    many = draw.random() < 0.6
    natural = draw.random() < (0.3 if many else 0.75)
    turns_count = draw.randint(3, 8) if many else 1
    count = draw.choice((1, 2, 2, 3, 4)) if many else draw.choice((1, 2, 3, 4, 6))
    functions = world(bank, draw, count=count, natural=natural)
    shape = draw.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()))[0]
    if shape == "marked" and not many:
        shape = "call"
    shown = draw.random() < (0.35 if many else 0.45 if natural else 1.0)
    wish = instruction(draw, shape) if not many or draw.random() < 0.8 else ""
    if shown:
        wish = f"{wish}\n\n{menu(functions, draw, shape)}".strip()
    elsewhere = draw.choice(NOTHING) if shown and wish and draw.random() < 0.3 else ""
    if elsewhere:
        wish += f"\nIf nothing fits, answer {refusal(shape, elsewhere)}"
        if shape in ("marked", "pairs"):
            elsewhere = ""
    pairs: list[tuple[str, str]] = []
    in_order = draw.random() < 0.75
    for _ in range(turns_count):
        if elsewhere and draw.random() < 0.25:
            pairs.append((draw.choice(bank.sentences), refusal(shape, elsewhere)))
            continue
        function = draw.choice(functions)
        asked = request(bank, function, draw)
        order = () if in_order else tuple(slot.name for slot in function.slots)
        pairs.append((asked.text, written(asked, shape, order)))
    return laid_out(wish, pairs, draw)


def laid_out(wish: str, pairs: Sequence[tuple[str, str]], draw: Random) -> str:
    """Requests and answers as chat turns, or as examples inside one user turn."""
    manner = draw.random()
    if len(pairs) > 2 and manner < 0.18:
        asked, answered = draw.choice(
            (("Request: ", "Call: "), ("Input: ", "Output: "), ("Q: ", "A: "), ("", "-> "))
        )
        body = "\n\n".join(f"{asked}{q}\n{answered}{a}" for q, a in pairs[:-1])
        last = f"{asked}{pairs[-1][0]}"
        return chat([("user", f"{wish}\n\n{body}\n\n{last}".strip()), ("assistant", pairs[-1][1])])
    turns: list[Turn] = []
    inside = bool(wish) and manner > 0.8
    if wish and not inside:
        turns.append(("system", wish))
    for asked, answered in pairs:
        body = f"{wish}\n\n{asked}" if inside else asked
        turns += [("user", body), ("assistant", answered)]
    return chat(turns)
