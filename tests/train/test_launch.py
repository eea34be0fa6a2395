"""`--nproc`: two processes of one command; when one ends, all do, and the cause is told."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.journey.project import build, speak
from tests.train.ranks import recipe_of, trained
from tutelage.core.errors import BadRow, GateShut, PeerLost, TrainingError, TutelageError
from tutelage.store.run import Run
from tutelage.train.group import Group
from tutelage.train.launch import read_report, write_report

ROOT = Path(__file__).parents[2]
LONGEST = 120.0
SET = (
    "train.epochs=8",
    "train.method=lora",
    "train.lora.rank=4",
    "train.checkpoint_every_seconds=0.000001",
)
JSON_2 = ("--nproc", "2", "--json")
WORDS = [word for one in SET for word in ("--set", one)]

# the ranks but the first run another version of the stage
OTHER_VERSION = """
import sys
from importlib import import_module


class Late:
    def find_spec(self, name, *_):
        if name == "tutelage.train.follow":
            import_module("tutelage.train.run").VERSION = 99


sys.meta_path.insert(0, Late())
"""

# a rank whose interpreter is taken down crashes
CRASHES = """
import os


class Held:
    def __del__(self, abort=os.abort):
        abort()


if "RANK" in os.environ:
    held = Held()
"""
# the ranks but the first end with 3, whatever came before
ENDS_WITH_3 = OTHER_VERSION.replace(
    'import_module("tutelage.train.run").VERSION = 99',
    'import_module("atexit").register(import_module("os")._exit, 3)',
)


def start(folder: Path, *words: str, path: Path = ROOT) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tutelage", "train", str(folder / "recipe.yaml"), *words],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{path}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def children(process: subprocess.Popen[str]) -> list[int]:
    """Its processes, rank 0 first."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return sorted(map(int, listed.split()))


def at_step(process: subprocess.Popen[str], folder: Path, step: int) -> list[int]:
    """The ranks, once so many steps are done."""
    for _ in range(2000):
        journal = next(iter(folder.glob(".tutelage/runs/*/train/journal.jsonl")), None)
        if journal is not None and len(journal.read_text().splitlines()) >= step:
            return children(process)
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(process.communicate())


def ended(process: subprocess.Popen[str], ranks: list[int]) -> dict[str, Any]:
    """What it said, when it and all its ranks are gone."""
    out, err = process.communicate(timeout=LONGEST)
    assert not [rank for rank in ranks if Path(f"/proc/{rank}").exists()]
    said: dict[str, Any] = json.loads(out)
    return said | {"code": process.returncode, "err": err}


def test_killed_and_interrupted_the_same_command_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    folder = build(tmp_path / "a")
    process = start(folder, *JSON_2, *WORDS)
    ranks = at_step(process, folder, 4)
    assert len(ranks) == 2
    os.kill(ranks[1], signal.SIGKILL)
    killed = ended(process, ranks)
    assert (killed["code"], killed["error"]["code"]) == (1, "training")
    assert killed["error"]["message"].startswith("rank 1 was ended by SIGKILL")

    process = start(folder, *JSON_2, *WORDS)
    ranks = at_step(process, folder, 14)
    process.send_signal(signal.SIGINT)
    stopped = ended(process, ranks)
    assert (stopped["code"], stopped["status"]) == (130, "interrupted")

    process = start(folder, *JSON_2, *WORDS)
    done = ended(process, [])
    assert done["code"] == 0, done
    (artifact,) = [one for one in done["artifacts"] if one["kind"] == "adapter"]
    unbroken = alone(folder, tmp_path / "unbroken")
    found = Path(artifact["folder"]) / "adapter" / "adapter_model.safetensors"
    assert found.read_bytes() == unbroken.read_bytes()
    again = ended(start(folder, *JSON_2, *WORDS), [])
    assert (again["code"], again["artifacts"]) == (0, done["artifacts"])  # none to train
    manifest = json.loads((Path(artifact["folder"]) / "manifest.json").read_text())
    assert (manifest["environment"]["ranks"], manifest["environment"]["parallel"]) == (
        "2",
        "replicate",
    )


def alone(folder: Path, out: Path) -> Path:
    """The adapter one process comes to: of two, each sum has two terms, which commute."""
    recipe = recipe_of(folder, *SET)
    keys = {artifact.kind: artifact.key for artifact in Run.beside(recipe).store.artifacts()}
    learner, _ = trained(recipe, keys, Group(), "unbroken")
    learner.save(out)
    return out / "adapter_model.safetensors"


def test_processes_add_the_recipes_new_tokens_alike(tmp_path: Path) -> None:
    folder = build(tmp_path / "a")
    words = ("--set", "train.new_tokens=[acme]", "--set", "train.epochs=1")
    done = ended(start(folder, *JSON_2, *words), [])
    assert (done["code"], done["status"]) == (0, "done"), done
    (artifact,) = [one for one in done["artifacts"] if one["kind"] == "adapter"]
    manifest = json.loads((Path(artifact["folder"]) / "manifest.json").read_text())
    assert (manifest["counts"]["new_tokens"], manifest["environment"]["ranks"]) == (1, "2")


def test_processes_go_through_every_training_of_a_recipe(tmp_path: Path) -> None:
    folder = build(tmp_path / "a")
    words = ("--set", "train.epochs=1", "--set")
    done = ended(start(folder, *JSON_2, *words, "train.seeds=3"), [])
    assert (done["code"], done["status"]) == (0, "done"), done
    adapters = [
        one for one in Run.beside(recipe_of(folder)).store.artifacts() if one.kind == "adapter"
    ]
    assert [one.manifest.environment["ranks"] for one in adapters] == ["2"] * 3
    assert len({one.digest for one in adapters}) == 3
    (first,) = [one for one in done["artifacts"] if one["kind"] == "adapter"]
    fewer = ended(start(folder, *JSON_2, *words, "train.seeds=1"), [])
    assert fewer["artifacts"] == done["artifacts"]  # the first is the same, however many there are
    for one in adapters:
        if one.digest == first["digest"]:
            shutil.rmtree(one.folder)
    again = ended(start(folder, *JSON_2, *words, "train.seeds=3"), [])  # two there, one to train
    assert (again["code"], again["artifacts"]) == (0, done["artifacts"])


# rank 1 never comes, and rank 0 does not wait for it when there is nothing to train
COMES_LATE = """
import os
import sys
import threading
from importlib import import_module


class Late:
    def find_spec(self, name, *_):
        if name == "tutelage.cli.summary" and os.environ.get("RANK") == "0":
            import_module("tutelage.train.meeting").LEAVE = 0.0
        if name == "tutelage.cli.summary" and os.environ.get("RANK") == "1":
            threading.Event().wait()


sys.meta_path.insert(0, Late())
"""


def test_a_rank_that_comes_when_all_is_done_is_not_waited_for(tmp_path: Path) -> None:
    folder = build(tmp_path / "a")
    words = ("--json", "--set", "train.epochs=1")
    assert ended(start(folder, *words), [])["code"] == 0
    process = start(folder, *words, "--nproc", "2", path=custom(tmp_path, COMES_LATE))
    said = ended(process, [])
    assert (said["code"], said["status"], said["warnings"]) == (0, "done", [])


TOLD_EARLY = """
import os
import signal
import sys
import threading


class Early:
    def find_spec(self, name, *_):
        if name == "tutelage.train.packing" and os.environ.get("RANK", "0") == "0":
            sys.meta_path.remove(self)
            number = int(os.environ["EARLY"])
            os.kill(os.getppid() if "RANK" in os.environ else os.getpid(), number)
            threading.Event().wait(60)


sys.meta_path.insert(0, Early())
"""


@pytest.mark.parametrize(
    ("words", "number"),
    [(("--json",), signal.SIGTERM), (JSON_2, signal.SIGTERM), (JSON_2, signal.SIGINT)],
)
def test_a_signal_before_the_first_step_is_an_interruption(
    tmp_path: Path, words: tuple[str, ...], number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARLY", str(int(number)))
    path = custom(tmp_path, TOLD_EARLY)
    told = ended(start(build(tmp_path / "a"), *words, path=path), [])
    assert (told["code"], told["status"]) == (130, "interrupted"), told
    assert "goes on from there" in told["error"]["hint"]


@pytest.mark.parametrize("closed", ["<&-", "<&- >&-", "<&- 2>&-", "2>/dev/full"])
def test_processes_train_whatever_the_shell_closed_or_filled(tmp_path: Path, closed: str) -> None:
    folder = build(tmp_path / "a")
    words = f"{sys.executable} -m tutelage train recipe.yaml --nproc 2 --set train.epochs=1"
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-c", f"exec {words} {closed}"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST,
    )
    assert done.returncode == 0, done.stderr
    assert list((folder / ".tutelage" / "store").glob("adapter-*"))


def test_what_ends_before_the_training_ends_all_with_its_own_error(tmp_path: Path) -> None:
    folder = build(tmp_path / "a", base=False)
    process = start(folder, *JSON_2)
    told = ended(process, [])
    assert told["code"] == 1
    assert told["error"]["code"] == "base_model"
    assert "base" in told["error"]["message"]


def test_a_rank_that_would_train_something_else_ends_all_and_is_named(tmp_path: Path) -> None:
    folder = build(tmp_path / "a")
    told = ended(start(folder, *JSON_2, path=custom(tmp_path, OTHER_VERSION)), [])
    assert (told["code"], told["error"]["code"]) == (1, "training")
    assert told["error"]["message"].startswith("rank 1 would train something else than rank 0")
    assert told["error"]["where"] == "rank 1"


def test_ranks_leave_before_what_would_crash_them_at_their_end(tmp_path: Path) -> None:
    """As threads of torch's do that outlive the interpreter."""
    said = ended(start(build(tmp_path / "a"), *JSON_2, path=custom(tmp_path, CRASHES)), [])
    assert (said["code"], said["status"]) == (0, "done")
    assert "rank" not in said["err"]


def test_a_rank_that_ends_badly_when_all_is_done_is_a_warning(tmp_path: Path) -> None:
    said = ended(start(build(tmp_path / "a"), *JSON_2, path=custom(tmp_path, ENDS_WITH_3)), [])
    assert (said["code"], said["status"]) == (0, "done")
    assert "rank 1 ended with exit code 3, when all was done" in said["err"]


def custom(folder: Path, code: str) -> Path:
    """A folder to put on the path, whose code every process runs first."""
    (folder / "custom").mkdir()
    (folder / "custom" / "sitecustomize.py").write_text(code)
    return folder / "custom"


def test_processes_are_not_started_by_one_of_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchrun = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "here", "MASTER_PORT": "1"}
    for name, value in torchrun.items():
        monkeypatch.setenv(name, value)
    told = speak(build(tmp_path / "a"), "train", "recipe.yaml", "--nproc", "2")
    assert told.code == 2
    assert "leave `--nproc` out" in told.err


def test_a_launched_process_ends_with_the_one_that_launched_it(tmp_path: Path) -> None:
    folder = build(tmp_path / "a")
    process = start(folder, "--nproc", "2", *WORDS)
    ranks = at_step(process, folder, 3)
    process.kill()
    process.communicate()
    assert all(gone(rank) for rank in ranks)


def gone(pid: int) -> bool:
    """Whether a process that is no child of ours ends soon."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    return bool(select.select([descriptor], [], [], 10.0)[0])


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (TrainingError("m", where="w", hint="h", rows=[BadRow(where="a", problem="b")]), "w"),
        (GateShut("m", expected="e"), ""),
        (PeerLost("m"), ""),
    ],
)
def test_a_report_gives_the_error_back_and_names_the_rank(
    error: TutelageError, where: str, tmp_path: Path
) -> None:
    write_report(tmp_path / "rank.json", error)
    text = (tmp_path / "rank.json").read_text()
    same, other = read_report(text, 0), read_report(text, 3)
    assert type(same) is type(error)
    assert same.text() == error.text()
    assert other.where == ("rank 3: w" if where else "rank 3")
    assert (other.exit_code, other.rows) == (error.exit_code, error.rows)
