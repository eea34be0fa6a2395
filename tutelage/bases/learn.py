"""Learns the tokenizer of the embedded base from a sample of its own mixture.

python -m tutelage.bases.learn DATA OUT
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from tutelage.bases.sources import documents, held_out
from tutelage.bases.vocabulary import learn, save

# Characters taken of each component.
SAMPLE = {
    "books": 26_000_000,
    "sgd": 6_000_000,
    "topical": 4_000_000,
    "onestop": 2_000_000,
    "story": 1_200_000,
    "calls": 6_000_000,
    "trivia": 2_000_000,
    "dolly": 2_000_000,
    "taskmaster": 1_000_000,
    "seed": 100_000,
    "sgd_chat": 1_000_000,
}
LOWERED = frozenset({"sgd", "topical"})  # every other one also in small letters, as people type
OBJECTS = 15_000


def sample(data: Path, seed: int) -> list[str]:
    """Trained documents of every component, and objects in the one spacing the base writes."""
    texts: list[str] = []
    for component, size in SAMPLE.items():
        kept = [d.text for d in documents(component, data, seed) if not held_out(d)]
        Random(f"{seed} sample {component}").shuffle(kept)
        taken = 0
        for number, text in enumerate(kept):
            texts.append(text)
            taken += len(text)
            if component in LOWERED and number % 2:
                texts.append(text.lower())
                taken += len(text)
            if taken > size:
                break
    words = [word for text in texts[:300] for word in text.split() if word.isalpha()]
    return [*texts, *objects(words, Random(f"{seed} objects"))]


def objects(words: list[str], draw: Random) -> Iterator[str]:
    """Invented JSON calls, so that JSON's marks merge as calls need them."""
    for _ in range(OBJECTS):
        arguments: dict[str, str | list[str]] = {}
        for _ in range(draw.randrange(1, 4)):
            tail = draw.choice(("", f"_{draw.choice(words).lower()}"))
            values = [" ".join(draw.choices(words, k=draw.randrange(1, 4))) for _ in "abc"]
            arguments[draw.choice(words).lower() + tail] = (
                values[0] if draw.random() < 0.7 else values[: draw.randrange(2, 4)]
            )
        name = draw.choice(words).title() + draw.choice(words).title()
        forms: tuple[dict[str, Any], ...] = (
            {"name": name, "arguments": arguments},
            {"intent": name, "slots": arguments},
            {**arguments},
        )
        content = draw.choice(forms)
        yield json.dumps(content, ensure_ascii=False)


def main() -> None:
    parser = argparse.ArgumentParser(description="Learn the tokenizer of the embedded base.")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    save(learn(sample(given.data, given.seed)), given.out)


if __name__ == "__main__":
    main()
