"""The whole circle from Python: examples to a served answer, and a correction back to a row.

    tutelage init tickets
    python examples/python/road.py tickets/recipe.yaml

Nothing here is a notebook: each line is a stage, and a second run does only what changed.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import tutelage as tt

QUESTION = "My parcel has not come and I leave tomorrow!"
CORRECTION = {"team": "shipping", "urgent": True}


def main(path: Path) -> None:
    recipe = tt.load_recipe(path)

    dataset = tt.curate(recipe)
    print(f"{dataset.name}: {dataset.counts['kept']} rows")
    adapter = tt.train(recipe)
    print(f"{adapter.name}: {adapter.counts['supervised_tokens']:,} tokens taught")
    report = tt.evaluate(recipe)
    print(f"{report.name}: {report.counts['tasks']} tasks")
    verdict = tt.gate(recipe)
    print(f"{verdict.name}: {verdict.counts['pass']} of {verdict.counts['rules']} rules hold")
    release = tt.release(recipe)  # raises tt.TutelageError where the gate is shut
    print(f"{release.name}: served as {tt.read_release(release.folder).label}")

    with tt.serving(release) as url:
        asked = {"model": recipe.name, "messages": [{"role": "user", "content": QUESTION}]}
        answer = post(f"{url}/v1/chat/completions", asked)
        print(f"{answer['id']}: {answer['choices'][0]['message']['content']}")
        said = {"id": answer["id"], "rating": "down", "author": "ada"}
        post(f"{url}/v1/feedback", {**said, "correction": json.dumps(CORRECTION)})

    watched = tt.monitor(release)
    print(f"monitor: {watched.requests} requests, {watched.outcome or 'no rules'}")
    improved = tt.improve(release)
    print(f"improve: {improved.added} new proposals, {improved.waiting} await a person")


def post(url: str, form: dict[str, Any]) -> Any:
    """The JSON a server answers with."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(form).encode(), headers)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "recipe.yaml"))
