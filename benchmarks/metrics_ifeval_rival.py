"""The checkers of IFEval as lm-eval ships them, on cases read from stdin, one a line.

Loaded from their files: the package around them wants much else. Where they need models of
NLTK that are downloaded, words are split by its rules alone and a text's sentences are counted
by whoever asks. Answers with strict and loose verdicts, one line each.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
import types
from pathlib import Path
from typing import Any

import langdetect
import nltk
from nltk.tokenize import NLTKWordTokenizer

PACKAGE = "lm_eval.tasks.ifeval"


def main() -> None:
    logging.disable(logging.CRITICAL)
    langdetect.DetectorFactory.seed = 0
    nltk.download = lambda *_, **__: True
    nltk.word_tokenize = NLTKWordTokenizer().tokenize
    folder = Path(importlib.util.find_spec("lm_eval").submodule_search_locations[0])
    for name in ("lm_eval", "lm_eval.tasks", PACKAGE):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(folder / "tasks" / "ifeval")]
    names = ("instructions_util", "instructions", "instructions_registry", "utils")
    loaded = {name: load(folder / "tasks" / "ifeval" / f"{name}.py") for name in names}
    counted: dict[str, int] = {}
    loaded["instructions_util"].count_sentences = lambda text: counted[text]
    utils = loaded["utils"]
    for line in sys.stdin:
        case = json.loads(line)
        counted |= case["sentences"]
        asked = utils.InputExample(case["key"], case["kinds"], case["prompt"], case["kwargs"])
        strict = utils.test_instruction_following_strict(asked, case["answer"])
        loose = utils.test_instruction_following_loose(asked, case["answer"])
        found = [strict.follow_instruction_list, loose.follow_instruction_list]
        sys.__stdout__.write(json.dumps(found) + "\n")


def load(path: Path) -> Any:
    """One of their modules, under the name the others import it by."""
    name = f"{PACKAGE}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    setattr(sys.modules[PACKAGE], path.stem, module)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.stdout = sys.stderr  # importing them talks
    main()
