"""How many of the labelled spans the detectors find, and how much else they take for one.

    python benchmarks/detectors.py FOLDER [--rival PYTHON]

FOLDER holds `pii_presidio/generated_large.json.gz` (sentences with labelled spans) and
`secrets/secret_cases.jsonl.gz` (cases with a verdict each). A span is found where a finding of
its kind overlaps it; a finding is wrong where it overlaps no span of its kind. One JSON line
each, with Wilson's 95 % interval, and the texts screened a second with the slowest and the
fastest of a few rounds; all of them go to `benchmarks/results/detectors.jsonl`. With a rival,
Presidio's recognisers of patterns are judged on the same sentences.

Labels no rule can reach are told as such: names, addresses, places, organisations and titles have
no form of their own.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from methods import RESULTS, commit, hardware

from tutelage.core.finding import Finding
from tutelage.core.intervals import wilson
from tutelage.screen.pii import find_pii
from tutelage.screen.secrets import find_secrets

ROUNDS = 3
LABELS = {
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "US_SSN": "ssn",
    "IP_ADDRESS": "ip",
}


UNREACHABLE = ("PERSON", "ADDRESS", "LOCATION", "ORGANIZATION", "TITLE", "PREFIX")
LINES: list[str] = []


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rival", type=Path)
    given = parser.parse_args()
    folder = given.folder
    with gzip.open(folder / "pii_presidio" / "generated_large.json.gz", "rt") as stream:
        sentences = json.load(stream)
    with gzip.open(folder / "secrets" / "secret_cases.jsonl.gz", "rt") as stream:
        cases = [json.loads(line) for line in stream]
    spans("pii", sentences, [find_pii(one["full_text"]) for one in sentences])
    unreachable(sentences)
    if given.rival is not None:
        rival(given.rival, sentences)
    verdicts(cases)
    texts = [one["full_text"] for one in sentences]
    speed("pii", find_pii, texts)
    speed("secrets", find_secrets, texts)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "detectors.jsonl").write_text("".join(LINES), encoding="utf-8")


def rival(python: Path, sentences: Sequence[dict[str, Any]]) -> None:
    """Presidio's findings, judged as ours are, and its speed."""
    texts = [one["full_text"] for one in sentences]
    script = Path(__file__).parent / "detectors_rival.py"
    done = subprocess.run(
        [str(python), str(script)], input=json.dumps(texts), capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    told = json.loads(done.stdout)
    findings = [
        [
            Finding(detector="presidio", kind=LABELS[kind], start=start, end=end)
            for kind, start, end in own
        ]
        for own in told["found"]
    ]
    spans("presidio", sentences, findings)
    value = len(texts) / told["seconds"]
    write(name="presidio/speed", value=value, unit="texts a second", n=len(texts))


def unreachable(sentences: Sequence[dict[str, Any]]) -> None:
    """Labelled spans of kinds that no rule looks for."""
    for label in UNREACHABLE:
        n = sum(span["entity_type"] == label for one in sentences for span in one["spans"])
        write(name=f"pii/not looked for/{label}", value=n, unit="labelled spans", n=n)


def spans(
    system: str, sentences: Sequence[dict[str, Any]], findings: Sequence[Sequence[Finding]]
) -> None:
    """Recall and precision by kind, over the labelled spans of every sentence."""
    for label, kind in LABELS.items():
        hits = labelled = right = reported = 0
        for one, own in zip(sentences, findings, strict=True):
            wanted = [span for span in one["spans"] if span["entity_type"] == label]
            found = [finding for finding in own if finding.kind == kind]
            hits += sum(any(meets(span, finding) for finding in found) for span in wanted)
            right += sum(any(meets(span, finding) for span in wanted) for finding in found)
            labelled += len(wanted)
            reported += len(found)
        say(f"{system}/{kind}/recall", hits, labelled)
        say(f"{system}/{kind}/precision", right, reported)


def verdicts(cases: Sequence[dict[str, Any]]) -> None:
    """Recall over the secrets and false alarms over the rest, by the case's own detector.

    Public addresses are left to the detector of personal data.
    """
    judged = [case for case in cases if case["detector"] != "ip_public"]
    secret = [case for case in judged if case["is_secret"]]
    plain = [case for case in judged if not case["is_secret"]]
    say("secrets/recall", sum(bool(find_secrets(case["text"])) for case in secret), len(secret))
    say("secrets/false_alarms", sum(bool(find_secrets(case["text"])) for case in plain), len(plain))
    for name in sorted({case["detector"] for case in secret}):
        own = [case for case in secret if case["detector"] == name]
        say(f"secrets/recall/{name}", sum(bool(find_secrets(one["text"])) for one in own), len(own))


def speed(name: str, find: Callable[[str], list[Finding]], texts: Sequence[str]) -> None:
    """Texts a second on one core: the middle round, the slowest and the fastest."""
    find(texts[0])
    low, value, high = sorted(len(texts) / timed(find, texts) for _ in range(ROUNDS))
    method = f"slowest, middle and fastest of {ROUNDS} rounds"
    about: dict[str, float | str] = {"unit": "texts a second", "n": len(texts), "method": method}
    write(name=f"{name}/speed", value=value, low=low, high=high, **about)


def timed(find: Callable[[str], list[Finding]], texts: Sequence[str]) -> float:
    """Seconds to screen all of them once."""
    began = time.perf_counter()
    for text in texts:
        find(text)
    return time.perf_counter() - began


def meets(span: dict[str, Any], finding: Finding) -> bool:
    """Whether a labelled span and a finding share a character."""
    return bool(finding.start < span["end_position"] and span["start_position"] < finding.end)


def say(name: str, successes: int, n: int) -> None:
    """One share with its interval."""
    interval = wilson(successes, n)
    about: dict[str, float | str] = {"unit": "share", "n": n, "method": interval.method}
    write(name=name, value=interval.value, low=interval.low, high=interval.high, **about)


def write(**form: float | str) -> None:
    """One JSON line."""
    about = {"commit": commit(), "hardware": f"{hardware()}, one core used"}
    line = json.dumps({"benchmark": form.pop("name"), **form, **about})
    LINES.append(line + "\n")
    print(line)


if __name__ == "__main__":
    main()
