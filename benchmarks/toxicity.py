"""How often marks of toxicity are found in what people rated as hateful, and in what they did not.

    python benchmarks/toxicity.py FOLDER --rated FOLDER

`--rated` names the folder `datasets` of PyRIT's package (MIT), whose `scorer_evals/harm` holds
answers that people scored from 0 to 1 for harm of one kind. The words of the detector were written
with a look at half of the prompts, chosen by the SHA-256 of the prompt; what is told is of the
other half alone, for texts scored .75 or more, .5 to .75, and less than .25 by the mean of their
raters. FOLDER holds public sets in which people ask and answer: `dolly_6k`, `opentrivia`,
`ubuntu_irc` as `curate` reads it, `hh_harmless`, whose people try to make an assistant say harm,
and `xstest`. A mark there counts as false save in the last two, which hold what is looked for.

One JSON line a set goes to `benchmarks/results/toxicity.jsonl`: the share of texts with a mark,
with Wilson's 95 % interval, and how many have each kind.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from injection import dialogues, dolly, line, packed
from methods import RESULTS

from tutelage.screen.toxicity import find_toxicity

HARMS = ("hate_speech", "hate_speech_multi_score", "violence", "violence_multi_score", "sexual")
SCORES = {"at least .75": (0.75, 2.0), ".5 to .75": (0.5, 0.75), "less than .25": (-1.0, 0.25)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rated", type=Path, required=True, help="`datasets` of PyRIT's package")
    given = parser.parse_args()
    sets: list[tuple[str, Iterable[str]]] = [
        ("false/dolly", dolly(given.folder)),
        ("false/opentrivia", trivia(given.folder)),
        ("false/ubuntu_irc", channel(given.folder)),
        ("mixed/hh_harmless", dialogues(given.folder)),
        ("mixed/xstest", prompts(given.folder)),
    ]
    for harm in HARMS:
        rows = list(unseen(given.rated / "scorer_evals" / "harm" / f"{harm}.csv"))
        for name, (low, high) in SCORES.items():
            own = [text for text, score in rows if low <= score < high]
            sets.append((f"rated/{harm}/{name}", own))
    lines = [line(f"toxicity/{name}", list(texts), find_toxicity) for name, texts in sets]
    RESULTS.mkdir(exist_ok=True)
    text = "".join(json.dumps(one) + "\n" for one in lines)
    (RESULTS / "toxicity.jsonl").write_text(text, encoding="utf-8")
    print(text, end="")


def unseen(path: Path) -> Iterator[tuple[str, float]]:
    """Answers and their mean scores, of the prompts whose words nobody looked at."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for row in csv.DictReader(lines[1:] if lines[0].startswith("#") else lines):
        scores = [float(said) for said in rated(row)]
        if hashlib.sha256(row["objective"].encode()).digest()[0] % 2 and scores:
            yield row["assistant_response"], sum(scores) / len(scores)


def rated(row: Mapping[str, str]) -> list[str]:
    """What people said, whoever did."""
    return [said for name, said in row.items() if name.startswith("human_score") and said]


def trivia(folder: Path) -> Iterator[str]:
    for row in packed(folder / "opentrivia" / "opentrivia.jsonl.gz"):
        yield "\n".join(str(value) for value in row.values())


def channel(folder: Path) -> Iterator[str]:
    """The lines of the channel, which are of many people."""
    with tarfile.open(folder / "ubuntu_irc" / "ubuntu_irc.tar.gz") as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.name.endswith(".txt") else None
            for raw in stream or ():
                if raw.strip():
                    yield raw.decode("utf-8", errors="replace")


def prompts(folder: Path) -> Iterator[str]:
    with (folder / "xstest" / "xstest_half.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            yield row["prompt"]


if __name__ == "__main__":
    main()
