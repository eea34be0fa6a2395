"""Each kind of instruction beside the checkers of IFEval, on the same answers.

    python benchmarks/metrics_ifeval.py FOLDER --rival PYTHON

FOLDER holds `ifeval/input_data_half.jsonl` and `dolly_6k`; PYTHON is an interpreter that has
lm-eval, langdetect and nltk. Every prompt gets answers people wrote to other requests, dressed
up by chance to follow some of its instructions and to miss others. One JSON line a kind: how many
verdicts, strict and loose, differ.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from methods import commit, hardware

from tutelage.core.intervals import wilson
from tutelage.score.instructions import followed, loosened
from tutelage.score.sentences import sentences

ANSWERS = 12  # a prompt
Told = Mapping[str, Any]
Draw = random.Random


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rival", required=True)
    asked = parser.parse_args()
    cases = list(made(asked.folder, Draw(1)))
    rival = Path(__file__).with_name("metrics_ifeval_rival.py")
    lines = "\n".join(map(json.dumps, cases)) + "\n"
    ran = subprocess.run(
        [asked.rival, str(rival)], input=lines, stdout=subprocess.PIPE, text=True, check=True
    )
    theirs = [json.loads(line) for line in ran.stdout.splitlines()]
    total, differ, true = Counter[str](), Counter[str](), Counter[str]()
    for case, found in zip(cases, theirs, strict=True):
        told = [
            {"id": kind, **given} for kind, given in zip(case["kinds"], case["kwargs"], strict=True)
        ]
        ours = [followed(told, [case["answer"]]), followed(told, loosened(case["answer"]))]
        for mine, other in zip(ours, found, strict=True):
            for kind, one, two in zip(case["kinds"], mine, other, strict=True):
                total[kind] += 1
                differ[kind] += one != two
                true[kind] += two
    for kind in sorted(total):
        say(kind, differ[kind], total[kind], true[kind])
    say("all", differ.total(), total.total(), true.total())


def made(folder: Path, draw: Draw) -> Any:
    """Cases for both: a prompt's instructions, an answer, and its sentences as counted here."""
    with gzip.open(folder / "dolly_6k" / "dolly_first6400.jsonl.gz", "rt") as stream:
        rows = [json.loads(line) for line in stream]
    texts = [text for row in rows if (text := row.get("response") or row.get("output"))]
    path = folder / "ifeval" / "input_data_half.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for _ in range(ANSWERS):
            answer = dressed(draw.choice(texts), row, texts, draw)
            yield {
                "key": row["key"],
                "prompt": row["prompt"],
                "kinds": row["instruction_id_list"],
                "kwargs": row["kwargs"],
                "answer": answer,
                "sentences": {one: len(sentences(one)) for one in loosened(answer)},
            }


def dressed(text: str, row: Told, texts: Sequence[str], draw: Draw) -> str:
    """The text with what half of the instructions ask for, more or less."""
    for kind, told in zip(row["instruction_id_list"], row["kwargs"], strict=True):
        dress = DRESSES.get(kind)
        if dress is not None and draw.random() < 0.5:
            text = dress(text, told, texts, draw)
    if draw.random() < 0.2:
        text = f"Sure!\n{text}"
    return f"{text}\nHope it helps" if draw.random() < 0.2 else text


def _marks(draw: Draw, marks: Sequence[str], count: Any) -> str:
    return "\n".join(draw.choice(marks) + "p" for _ in range(int(count)))


def _paragraphs(text: str, told: Told, texts: Sequence[str], draw: Draw) -> str:
    count = int(told["num_paragraphs"]) + draw.choice((0, 0, 1, -1))
    return " *** ".join(draw.choices(texts, k=count))


def _first(text: str, told: Told, texts: Sequence[str], draw: Draw) -> str:
    parts = [one.replace("\n", " ") for one in draw.choices(texts, k=int(told["num_paragraphs"]))]
    place = int(told["nth_paragraph"]) - 1
    parts[place] = f"'{told['first_word'].title()}, {parts[place]}"
    return "\n\n".join(parts)


def _capitals(text: str, told: Told, texts: Sequence[str], draw: Draw) -> str:
    return " ".join(word.upper() if draw.random() < 0.1 else word for word in text.split(" "))


Dress = Callable[[str, Told, Sequence[str], Draw], str]
DRESSES: Mapping[str, Dress] = {
    "change_case:capital_word_frequency": _capitals,
    "change_case:english_capital": lambda text, told, texts, draw: text.upper(),
    "change_case:english_lowercase": lambda text, told, texts, draw: text.lower(),
    "startend:quotation": lambda text, told, texts, draw: f'"{text}"',
    "detectable_format:title": lambda text, told, texts, draw: f"<<A title>>\n{text}",
    "punctuation:no_comma": lambda text, told, texts, draw: text.replace(",", ""),
    "combination:repeat_prompt": lambda text, told, texts, draw: (
        f"{told['prompt_to_repeat'].upper()}\n{text}"
    ),
    "startend:end_checker": lambda text, told, texts, draw: (
        f"{text} {told['end_phrase']}{draw.choice(('', chr(34)))}"
    ),
    "detectable_content:postscript": lambda text, told, texts, draw: (
        f"{text}\n{draw.choice((told['postscript_marker'], 'P. S. x', 'p.p.s hello', 'PS x'))}"
    ),
    "combination:two_responses": lambda text, told, texts, draw: (
        f"{text}******{draw.choice(texts)}{draw.choice(('', '******'))}"
    ),
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:nth_paragraph_first_word": _first,
    "detectable_format:number_bullet_lists": lambda text, told, texts, draw: (
        f"{text}\n{_marks(draw, ('* ', '- ', ' *x', '** '), told['num_bullets'])}"
    ),
    "detectable_format:number_highlighted_sections": lambda text, told, texts, draw: (
        text + _marks(draw, ("*a b*", "**c**", "**", "***", "* *"), told["num_highlights"])
    ),
    "detectable_content:number_placeholders": lambda text, told, texts, draw: (
        text + "[a]" * int(told["num_placeholders"])
    ),
    "detectable_format:multiple_sections": lambda text, told, texts, draw: "\n".join(
        f"{told['section_spliter']} {place}\nx" for place in range(int(told["num_sections"]))
    ),
    "detectable_format:json_format": lambda text, told, texts, draw: (
        f"```json\n{json.dumps({'a': text})}```"
    ),
    "detectable_format:constrained_response": lambda text, told, texts, draw: (
        f"{text} My answer is no."
    ),
    "keywords:existence": lambda text, told, texts, draw: text + " ".join(told["keywords"]),
    "keywords:frequency": lambda text, told, texts, draw: (
        text + " ".join([told["keyword"]] * int(told["frequency"]))
    ),
}


def say(kind: str, differ: int, n: int, true: int) -> None:
    """One kind's verdicts that differ, and how many are positive."""
    rate = wilson(differ, n)
    form = {"benchmark": f"ifeval/{kind}", "value": differ, "low": rate.low * n}
    form |= {"high": rate.high * n, "unit": "verdicts that differ", "n": n, "positive": true}
    form |= {"method": rate.method, "commit": commit(), "hardware": hardware()}
    print(json.dumps(form))


if __name__ == "__main__":
    main()
