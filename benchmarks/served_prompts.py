"""Whether the prompt that is served is the prompt that is trained.

    python benchmarks/served_prompts.py [EXAMPLE ...]

Serves an example's release, sends held-out requests over HTTP, and compares the digest of the
ids the engine was given, as each event keeps it, with those of the lesson that would be taught
of the same row and of the prompt the evaluation asked. One JSON line an example goes to
`benchmarks/results/served-prompts.jsonl`; where all are equal, `low` is the lower end of a
one-sided 95 % interval of the share.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

from methods import RESULTS, ROOT, at_least, commit, hardware

import tutelage as tt
from tutelage.core.digest import ids_digest
from tutelage.store.ingest.read import read_examples
from tutelage.store.journal import Journal
from tutelage.store.release import events_path
from tutelage.store.tables import SAMPLES, read_samples

REQUESTS = 200


def main() -> None:
    lines = [measure(ROOT / "examples" / name) for name in sys.argv[1:] or ["intents", "support"]]
    RESULTS.mkdir(exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (RESULTS / "served-prompts.jsonl").write_text(text, encoding="utf-8")
    print(text, end="", file=sys.stderr)


def measure(project: Path) -> dict[str, Any]:
    """How many of the requests reached the engine as they are taught and as they were measured."""
    recipe = tt.load_recipe(project / "recipe.yaml")
    assert recipe.evaluate is not None
    release = tt.read_release(tt.release(recipe).folder)
    rows = read_examples(recipe.evaluate.suites[0], recipe).examples[:REQUESTS]
    opened = tt.open_release(release)
    taught = [ids_digest(opened.contract.lessons(row)[-1].prompt) for row in rows]
    opened.engine.close()
    samples = read_samples(tt.evaluate(recipe).file(SAMPLES))
    measured = {one.prompt_digest for one in samples if one.system == "tuned"}
    with tt.serving(release) as url:
        ids = [ask(url, recipe.name, row) for row in rows]
    journal = Journal.open(events_path(release), read_only=True)
    found = [journal.event(one) for one in ids]
    served = [str(event.payload["prompt_digest"]) if event else "" for event in found]
    journal.close()
    trained = sum(a == b for a, b in zip(served, taught, strict=True))
    asked = sum(one in measured for one in served)
    return {
        "benchmark": f"served-prompts/{project.name}",
        "unit": "requests",
        "n": len(rows),
        "equal_to_trained": trained,
        "equal_to_measured": asked,
        "low": at_least(len(rows)) if trained == asked == len(rows) else None,
        "method": "exact binomial, one-sided 95 %, of the share equal",
        "release": release.label,
        "commit": commit(),
        "hardware": hardware(),
    }


def ask(url: str, model: str, row: Any) -> str:
    """The id of the answer to a row's messages, the last one left out."""
    said = [{"role": one.role, "content": one.content} for one in row.messages[:-1]]
    form = {"model": model, "messages": said, "max_tokens": 4}
    request = urllib.request.Request(
        f"{url}/v1/chat/completions",
        json.dumps(form).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return str(json.load(response)["id"])


if __name__ == "__main__":
    main()
