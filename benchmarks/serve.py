"""How fast a release answers behind its port, and how much memory that takes.

    python benchmarks/serve.py [RELEASE] [--requests N] [--rounds N] [--max-tokens N]
        [--rows FILE] [--base FOLDER] [--url URL --pid PID]

Starts `tutelage serve` on loopback (the release of the first example if none is given), or asks
the one at URL, with 1 and with 8 clients, answers whole and streamed. One JSON line a figure
goes to `benchmarks/results/serve-NAME.jsonl`: the mean over rounds with the least and the most,
and the most memory (RSS) the process had until then. ROWS are JSON lines with `messages`;
without them, requests of the recipe's first suite.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Any

import httpx2
from methods import RESULTS, ROOT, commit, hardware

EXAMPLE = ROOT / "examples" / "intents" / "recipe.yaml"
CLIENTS = (1, 8)
DEADLINE_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that listens."""

    url: str
    model: str
    release: str
    pid: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked of it."""

    rows: Sequence[Any]  # messages of one request each
    requests: int
    rounds: int
    max_tokens: int


def main() -> None:
    given = arguments()
    with tempfile.TemporaryDirectory() as folder, server(given, Path(folder)) as found:
        rows = read_rows(given.rows) if given.rows else suite_rows(given.release)
        load = Load(
            rows=rows,
            requests=given.requests,
            rounds=given.rounds,
            max_tokens=given.max_tokens,
        )
        lines = [
            line
            for clients, stream in itertools.product(CLIENTS, (False, True))
            for line in measure(found, load, clients, stream)
        ]
    RESULTS.mkdir(exist_ok=True)
    name = found.release.partition("@")[0]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (RESULTS / f"serve-{name}.jsonl").write_text(text, encoding="utf-8")


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("release", nargs="?", default=str(EXAMPLE))
    parser.add_argument("--base")
    parser.add_argument("--url")
    parser.add_argument("--pid", type=int)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-tokens", type=int, default=96)
    return parser.parse_args()


@contextmanager
def server(given: argparse.Namespace, folder: Path) -> Iterator[Server]:
    """The server that was named, or one started for the block."""
    if given.url:
        about = httpx2.get(f"{given.url}/v1/models").json()["data"][0]
        yield Server(url=given.url, model=about["id"], release=about["release"], pid=given.pid)
        return
    with started(given.release, folder / "events.sqlite", given.base) as (process, found):
        yield found
        process.terminate()
        process.wait(DEADLINE_SECONDS)


@contextmanager
def started(
    release: str, events: Path, base: str | None = None
) -> Iterator[tuple[subprocess.Popen[str], Server]]:
    """A server of its own process on a free port; killed after the block if it still runs."""
    command = [sys.executable, "-m", "tutelage", "serve", release, "--json", "--port", "0"]
    command += ["--events", str(events), *(["--base", base] if base else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        about = json.loads(process.stdout.readline())
        if "url" not in about:
            raise SystemExit(about["error"])
        yield (
            process,
            Server(
                url=about["url"], model=about["model"], release=about["release"], pid=process.pid
            ),
        )
    finally:
        process.kill()
        process.communicate()


def measure(found: Server, load: Load, clients: int, stream: bool) -> list[dict[str, object]]:
    """Tokens and requests a second, seconds an answer, and memory, of so many clients."""
    one_round(found, replace(load, requests=clients), clients, stream)  # before the clock runs
    rounds = [one_round(found, load, clients, stream) for _ in range(load.rounds)]
    about = {
        "benchmark": "serve",
        "release": found.release,
        "clients": clients,
        "stream": stream,
        "max_tokens": load.max_tokens,
        "n": load.requests * load.rounds,
        "method": f"mean of {load.rounds} rounds; low and high are the least and the most",
        "commit": commit(),
        "hardware": hardware(),
    }
    lines: list[dict[str, object]] = []
    for metric, unit in (
        ("tokens_per_second", "tokens/s"),
        ("requests_per_second", "requests/s"),
        ("answer_seconds_median", "s"),
    ):
        values = [one[metric] for one in rounds]
        low, high = min(values), max(values)
        lines.append(
            {**about, "metric": metric, "value": mean(values), "low": low, "high": high}
            | {"unit": unit}
        )
    if found.pid is not None:
        peak = {"metric": "peak_memory", "value": peak_mib(found.pid), "unit": "MiB"}
        lines.append({**about, **peak, "method": "VmHWM of the process, until then", "n": 1})
    for line in lines:
        print(json.dumps(line), file=sys.stderr)
    return lines


def one_round(found: Server, load: Load, clients: int, stream: bool) -> dict[str, float]:
    """Every request once, by clients that each send one after another."""
    rows = list(itertools.islice(itertools.cycle(load.rows), load.requests))
    form = {"model": found.model, "max_tokens": load.max_tokens, "stream": stream}
    form |= {"stream_options": {"include_usage": True}} if stream else {}
    with (
        httpx2.Client(base_url=found.url, timeout=DEADLINE_SECONDS) as client,
        ThreadPoolExecutor(clients) as pool,
    ):
        began = time.perf_counter()
        answers = list(pool.map(lambda row: ask(client, form | {"messages": row}), rows))
    seconds = time.perf_counter() - began
    return {
        "tokens_per_second": sum(tokens for tokens, _ in answers) / seconds,
        "requests_per_second": len(rows) / seconds,
        "answer_seconds_median": median(took for _, took in answers),
    }


def ask(client: httpx2.Client, form: dict[str, Any]) -> tuple[int, float]:
    """Tokens of one answer, and seconds until all of it was there."""
    began = time.perf_counter()
    response = client.post("/v1/chat/completions", json=form)
    seconds = time.perf_counter() - began
    response.raise_for_status()
    if form["stream"]:
        *_, last, _ = [line for line in response.text.split("\n\n") if line]
        return json.loads(last.removeprefix("data: "))["usage"]["completion_tokens"], seconds
    return response.json()["usage"]["completion_tokens"], seconds


def suite_rows(release: str) -> list[Any]:
    """The requests of the first suite of the recipe behind a release."""
    from tutelage.cli.results import find_release
    from tutelage.core.recipe import load
    from tutelage.store.ingest import read_examples

    folder = find_release(release, Path())
    if folder.project is None:
        raise SystemExit("the release lies in no project: give its requests as --rows FILE")
    recipe = load(folder.folder / "recipe.yaml").at(folder.project)
    if recipe.evaluate is None:
        raise SystemExit("the recipe has no suite: give requests as --rows FILE")
    found = read_examples(recipe.evaluate.suites[0], recipe)
    turns = [row.messages[:-1] for row in found.examples]
    return [[{"role": one.role, "content": one.content} for one in row] for row in turns]


def read_rows(path: Path) -> list[Any]:
    """The requests in a file of rows: all messages but a last one of the assistant."""
    rows = [json.loads(line)["messages"] for line in path.read_text("utf-8").splitlines() if line]
    return [row[:-1] if row[-1]["role"] == "assistant" else row for row in rows]


def peak_mib(pid: int) -> float:
    """The most resident memory a process has had."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    kib = next(line for line in text.splitlines() if line.startswith("VmHWM:")).split()[1]
    return int(kib) / 1024


if __name__ == "__main__":
    main()
