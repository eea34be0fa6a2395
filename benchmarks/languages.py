"""How often the language of a text is told rightly, wrongly, or not at all.

    python benchmarks/languages.py FOLDER

FOLDER holds translated interfaces as gettext lays them out, LANGUAGE/LC_MESSAGES/NAME.mo anywhere
below it: those of Django 5.2.19 (BSD-3-Clause), its wheel unpacked, for the figures here. Lines of
six words or more, of twelve signs in scripts without spaces, are looked at, each once, without
what is filled in. English is measured on Dolly's requests and answers. One JSON line a language and
one for all to `benchmarks/results/languages.jsonl`, with Wilson's 95 % interval of the wrong ones.
"""

from __future__ import annotations

import argparse
import gettext
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from curate_plant import TEXT
from methods import RESULTS, commit, hardware

from tutelage.core.intervals import wilson
from tutelage.screen.language import UNDETERMINED, language

FILLED = re.compile(r"%\([^)]*\)[sd]|%[sd]|<[^>]+>|\{[^}]*\}|&\w+;")
CODES = [
    "ar",
    "bg",
    "bn",
    "ca",
    "cs",
    "da",
    "de",
    "el",
    "es",
    "et",
    "fa",
    "fi",
    "fr",
    "he",
    "hi",
    "hr",
    "hu",
    "hy",
    "id",
    "it",
    "ja",
    "ka",
    "ko",
    "lt",
    "lv",
    "nb",
    "nl",
    "pl",
    "pt",
    "ro",
    "ru",
    "sk",
    "sr",
    "sv",
    "ta",
    "th",
    "tr",
    "uk",
    "vi",
    "zh",
]
FOLDERS = {"zh": "zh_Hans"}
UNSPACED = ("ja", "th", "zh")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    whole: Counter[str] = Counter()
    lines = []
    for code in CODES:
        told = Counter(_told(code, text) for text in sorted(texts(folder, code)))
        whole += told
        lines.append(line(code, told))
    lines.append(line("all", whole))
    with gzip.open(TEXT, "rt", encoding="utf-8") as stream:
        rows = [json.loads(one) for one in stream]
    lines.append(line("en", Counter(_told("en", f"{r['request']}\n{r['answer']}") for r in rows)))
    text = "".join(json.dumps(one) + "\n" for one in lines)
    print(text, end="")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "languages.jsonl").write_text(text, encoding="utf-8")


def texts(folder: Path, code: str) -> set[str]:
    """The lines of a language that are long enough."""
    return set(_lines(folder, code))


def _lines(folder: Path, code: str) -> Iterator[str]:
    for path in folder.rglob(f"{FOLDERS.get(code, code)}/LC_MESSAGES/*.mo"):
        with path.open("rb") as stream:
            catalogue = gettext.GNUTranslations(stream)._catalog  # type: ignore[attr-defined]
        for key, value in catalogue.items():
            if not isinstance(key, str) or not key or not isinstance(value, str) or value == key:
                continue
            text = FILLED.sub("", value).strip()
            size = len(text) / 2 if code in UNSPACED else len(text.split())
            if size >= 6:
                yield text


def _told(code: str, text: str) -> str:
    found = language(text)
    return "right" if found == code else "undetermined" if found == UNDETERMINED else "wrong"


def line(name: str, told: Counter[str]) -> dict[str, object]:
    """The figures of a language."""
    n = told.total()
    wrong = wilson(told["wrong"], n)
    return {
        "benchmark": f"languages/{name}",
        "metric": "wrong",
        "value": wrong.value,
        "unit": "share",
        "n": n,
        "low": wrong.low,
        "high": wrong.high,
        "right": told["right"] / n,
        "undetermined": told["undetermined"] / n,
        "commit": commit(),
        "hardware": hardware(),
    }


if __name__ == "__main__":
    main()
