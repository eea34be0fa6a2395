"""A draft that is killed or interrupted goes on where it was, and comes to the same drafts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.score.judges import serving
from tests.score.teachers import PLANTED, Teacher, project
from tutelage.curate.synthesis.run import REPLIES
from tutelage.store.replies import FOLDER

ROOT = Path(__file__).parents[2]
STOPPED_AT = 20  # replies
CHILD = """
import signal, sys
from tutelage.cli import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
sys.exit(main(sys.argv[1:]))
"""


def draft(path: Path) -> subprocess.Popen[str]:
    """`tutelage draft`, one request at a time."""
    words = ["draft", str(path), "--json", "--set", "curate.synthesis.teacher.at_once=1"]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    out, _ = process.communicate(timeout=120)
    return process.returncode, json.loads(out) if out else {}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_what_was_answered_is_not_asked_again(tmp_path: Path, how: signal.Signals) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    for folder in (whole, part):
        folder.mkdir()
    with serving(Teacher(planted=PLANTED).choice) as (endpoint, sent):
        code, undisturbed = ended(draft(project(whole, PLANTED, endpoint)))
        assert code == 0
        total = len(sent)

    teacher, reached, go_on = Teacher(planted=PLANTED), Event(), Event()
    heard: list[int] = []

    def choice(body: Mapping[str, Any]) -> Mapping[str, object]:
        heard.append(body["seed"])
        if len(heard) == STOPPED_AT:
            reached.set()
            go_on.wait(60)
        return teacher.choice(body)

    with serving(choice) as (endpoint, sent):
        path = project(part, PLANTED, endpoint)
        process = draft(path)
        assert reached.wait(60)
        process.send_signal(how)
        if how == signal.SIGKILL:
            process.wait(60)
        go_on.set()
        code, _ = ended(process)
        assert code == (-signal.SIGKILL if how == signal.SIGKILL else 130)
        lines = (part / ".tutelage" / FOLDER / f"{REPLIES}.jsonl").read_bytes().count(b"\n")
        assert lines == STOPPED_AT - (how == signal.SIGKILL)  # what was under way was waited for
        before = len(sent)
        code, again = ended(draft(path))
        assert code == 0
        assert len(sent) - before == total - lines

    assert again["data"]["asked_now"]["kept"] == lines
    assert again["artifacts"][0]["digest"] == undisturbed["artifacts"][0]["digest"]
