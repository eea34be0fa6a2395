"""`doctor`: whether this machine can do the work, and what would make it better."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import click
from rich.console import Console

from tutelage.cli.options import as_json
from tutelage.cli.reply import Reply
from tutelage.cli.terminal import marked, size
from tutelage.core.errors import BadRow, TutelageError
from tutelage.store.store import CHECKPOINTS, PROJECT

State = Literal["good", "note", "bad"]
LEAST_DISK_BYTES = 1 << 30
LEAST_MEMORY_BYTES = 2 << 30
SAFE_SQLITE = (3, 51, 3)  # before it two checkpointers can corrupt a write-ahead log
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)\s*>=\s*(?P<least>[\d.]+)")
EXTRA = re.compile(r"extra == .(?P<extra>\w+)")
ANEW = "install tutelage again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at."""

    what: str
    state: State
    says: str
    hint: str = ""


@click.command("doctor")
@as_json
def doctor_command() -> Reply:
    """Look at Python, packages, processor, memory, disk and the embedded base.

    Ends with exit code 1 where something stands in the way of work.
    """
    findings = [*look(Path())]
    bad = [finding for finding in findings if finding.state == "bad"]
    error = TutelageError(
        "this machine cannot do the work yet",
        rows=[BadRow(where=one.what, problem=f"{one.says}; {one.hint}") for one in bad],
    )
    return Reply(
        data={"findings": [asdict(finding) for finding in findings]},
        draw=lambda console: _draw(console, findings),
        error=error if bad else None,
    )


def look(folder: Path) -> Iterator[Finding]:
    """Every finding, in the order they are drawn."""
    on = f"{platform.system()} {platform.machine()}"
    yield Finding(what="python", state="good", says=f"{platform.python_version()} on {on}")
    yield from packages()
    yield from _torch()
    yield memory(_available_bytes())
    yield disk(shutil.disk_usage(folder).free)
    yield unfinished(folder / PROJECT / CHECKPOINTS)
    yield sqlite(sqlite3.sqlite_version_info)
    yield writable(folder)
    yield embedded_base()


def packages() -> Iterator[Finding]:
    """What the package asks for beside what is installed."""
    try:
        asked = metadata.requires("tutelage") or []
    except metadata.PackageNotFoundError:
        says = "runs from its source folder: versions of packages are not compared"
        yield Finding(what="tutelage", state="note", says=says, hint="pip install -e '.[train]'")
        return
    for requirement in asked:
        wanted, marked = REQUIREMENT.match(requirement), EXTRA.search(requirement)
        extra = marked["extra"] if marked else ""
        if wanted is not None and extra in ("", "train"):
            yield package(wanted["name"], wanted["least"], extra)


def package(name: str, least: str, extra: str) -> Finding:
    """One package: there, new enough, or missing."""
    target = f"tutelage[{extra}]" if extra else "tutelage"
    hint = f"pip install '{target}'"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(what=name, state="bad", says="is not installed", hint=hint)
    if _numbers(version) < _numbers(least):
        says = f"{version} is older than {least}"
        return Finding(what=name, state="bad", says=says, hint=hint)
    return Finding(what=name, state="good", says=f"{version}, {least} or newer is asked for")


def memory(available: int) -> Finding:
    """Whether there is memory to train the embedded base in."""
    enough = available >= LEAST_MEMORY_BYTES
    return Finding(
        what="memory",
        state="good" if enough else "bad",
        says=f"{size(available)} available",
        hint="" if enough else f"{size(LEAST_MEMORY_BYTES)} are needed for the smallest base",
    )


def disk(free: int) -> Finding:
    """Whether there is room for results."""
    enough = free >= LEAST_DISK_BYTES
    return Finding(
        what="disk",
        state="good" if enough else "bad",
        says=f"{size(free)} free here",
        hint="" if enough else "free some room: adapters and checkpoints are kept",
    )


def unfinished(folder: Path) -> Finding:
    """What trainings that never came to their end have left here; they could be taken up again."""
    held = [path for path in folder.glob("*") if path.is_dir()]
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if not held:
        return Finding(what="checkpoints", state="good", says="none left of unfinished trainings")
    many = "trainings" if len(held) > 1 else "training"
    return Finding(
        what="checkpoints",
        state="note",
        says=f"{size(total)} of {len(held)} unfinished {many}, each goes on with its recipe",
        hint=f"remove `{PROJECT}/{CHECKPOINTS}` if none of them will",
    )


def sqlite(version: tuple[int, ...]) -> Finding:
    """Whether the SQLite that Python was built with is one without the known fault."""
    text = ".".join(str(part) for part in version)
    if version >= SAFE_SQLITE:
        return Finding(what="sqlite", state="good", says=text)
    return Finding(
        what="sqlite",
        state="note",
        says=f"{text}: two checkpointers can corrupt its write-ahead log",
        hint="events are written and checkpointed by one connection, which does not meet it; "
        "open the file with no other program while it is served, or take SQLite 3.51.3",
    )


def writable(folder: Path) -> Finding:
    """Whether results can be written here."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Finding(what="folder", state="good", says="can be written")
    except OSError as error:
        hint = "results are written beside the recipe; make its folder writable"
        says = f"cannot be written: {error.strerror}"
        return Finding(what="folder", state="bad", says=says, hint=hint)


def embedded_base() -> Finding:
    """Whether the base that comes along is whole."""
    from tutelage.store.base import EMBEDDED, find_base

    try:
        base = find_base(EMBEDDED, Path())
    except TutelageError as error:
        return Finding(what=EMBEDDED, state="bad", says=error.message, hint=ANEW)
    weights = sum(path.stat().st_size for path in base.weight_files())
    if not weights:
        return Finding(what=EMBEDDED, state="bad", says="has no weights", hint=ANEW)
    return Finding(what=EMBEDDED, state="good", says=f"{size(weights)} of weights")


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except ImportError:
        return  # already told among the packages
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    build = torch.version.cuda or "CPU build"
    yield Finding(what="torch build", state="good", says=f"{torch.__version__}, {build}, {device}")
    threads = torch.get_num_threads()
    yield Finding(
        what="processor",
        state="good",
        says=f"{threads} threads, {torch.backends.cpu.get_cpu_capability()}, {_fast_formats()}",
    )


def _fast_formats() -> str:
    """Which number formats the processor multiplies quickly, as Linux tells."""
    told = Path("/proc/cpuinfo")
    flags = told.read_text(encoding="ascii", errors="replace") if told.exists() else ""
    known = {"amx_bf16": "AMX bf16", "avx512_bf16": "AVX-512 bf16", "avx512f": "AVX-512"}
    found = [name for flag, name in known.items() if re.search(rf"\b{flag}\b", flags)]
    return ", ".join(found) or "no bf16 instructions: `precision: auto` takes fp32"


def _available_bytes() -> int:
    told = Path("/proc/meminfo")
    if told.exists():
        match = re.search(r"MemAvailable:\s+(\d+) kB", told.read_text(encoding="ascii"))
        if match:
            return int(match[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


def _draw(console: Console, findings: list[Finding]) -> None:
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        says = finding.says + (f" ({finding.hint})" if finding.hint else "")
        console.print(marked(finding.state, finding.what, says, width=width), soft_wrap=True)
