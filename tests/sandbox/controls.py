"""Every escape of `hostile.py` where nothing stops it: it gets what it is after, so that to stop it
is worth something.

None harms the machine: each runs in a folder of its own that is thrown away, on processes, files
and sockets of its own, with so much of what has no end as the sandbox would not allow.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

from tests.sandbox.hostile import ESCAPES

SECONDS = 1.5  # what goes on after so long has no end
LONG = 60  # seconds, for what ends
ENDING = """
import os
try: said = f()
except BaseException as error: said = f'{type(error).__name__}: {error}'
try: forgotten()
except NameError: pass
print(f'<{said}>', flush=True)
os._exit(0)
"""
LIBRARY = """
import os
os.mkdir('lib')
open('lib/os.py', 'w').close()
os.__file__ = os.path.abspath('lib/os.py')
"""
CHILD = """
import os, time
pid = os.fork()
if not pid:
    time.sleep(9)
    os._exit(0)
def forgotten():
    os.kill(pid, 9)
    os.waitpid(pid, 0)
"""
LISTENER = """
import socket
there = socket.create_server(('127.0.0.1', 0))
port = there.getsockname()[1]
"""
UNIX = """
import socket
there = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
there.bind('there')
"""
APART = """
import ctypes, os
if ctypes.CDLL(None, use_errno=True).unshare(0x10020000):  # mounts of its own
    raise SystemExit(f'PermissionError: {os.strerror(ctypes.get_errno())}')
"""
SHARED = """
import ctypes
def forgotten(): ctypes.CDLL(None).shmctl(ctypes.CDLL(None).shmget(7_215_121, 0, 0), 0, None)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What is otherwise than in the escape, so that it harms nothing and has what it needs."""

    changes: Mapping[str, str] | None = None
    before: str = ""
    ends: str = "out"  # `running`: it never ends; `killed`: so is the process that started it
    needs: str = ""  # what not every machine gives: without it there is no control


ROOT = "the rights of root"
SOME = Control(before=LIBRARY)
CONTROLS: Mapping[str, Control] = {
    "writes beside the scratch folder": Control(
        before="import os\nos.mkdir('scratch')\nos.chdir('scratch')", changes={"/mine": "../mine"}
    ),
    "writes to the library": SOME,
    **{
        f"changes {what} of the library": SOME
        for what in ("a mode", "a mode by descriptor", "an owner", "the times")
    },
    "changes an attribute of the library": Control(before=LIBRARY, needs="a file system with them"),
    "writes a file without end": Control(changes={"range(1000)": "range(20)"}),
    "writes files without end": Control(changes={"range(1000)": "range(80)"}),
    "opens a raw socket": Control(needs=ROOT),
    "opens TCP over IPv6": Control(needs="IPv6"),
    "connects a pair of its sockets elsewhere": Control(
        before=UNIX, changes={"/run/systemd/journal/socket": "there"}
    ),
    "asks a name server": Control(before=LISTENER, changes={"80": "port"}),
    "takes memory": Control(changes={"3 << 30": "600 << 20"}),
    "takes memory by mapping": Control(changes={"3 << 30": "600 << 20"}),
    "loops": Control(ends="running"),
    "sleeps": Control(ends="running"),
    "catches the signal that ends it": Control(ends="running"),
    "signals its parent": Control(ends="killed"),
    "traces another process": Control(
        before=CHILD, changes={"range(1, 50)": "[pid]"}, needs="leave to trace its own child"
    ),
    "reads another process": Control(
        before=CHILD, changes={"number, 2,": "number, pid,"}, needs="leave to trace its own child"
    ),
    "makes a user namespace": Control(needs="namespaces for everybody"),
    "joins a namespace": Control(
        changes={"setns(0, 0)": "setns(os.open('/proc/self/ns/uts', 0), 0)"},
        before="import os",
        needs=ROOT,
    ),
    "mounts": Control(
        before=APART + "os.mkdir('scratch')", changes={"b'/scratch'": "b'scratch'"}, needs=ROOT
    ),
    "changes the root": Control(changes={"/scratch": "."}, needs=ROOT),
    "becomes root": Control(needs=ROOT),
    "raises its limits": Control(needs="limits that are not set already"),
    "shares memory by System V": Control(before=SHARED, changes={"shmget(0": "shmget(7_215_121"}),
    "makes a device": Control(needs=ROOT),
    "leaves something for the next": Control(before="open('left', 'w').close()"),
}


def control_of(name: str) -> str:
    """`out` where the escape gets what it is after, else what stood in its way."""
    control = CONTROLS.get(name, Control())
    source = ESCAPES[name]
    for old, new in (control.changes or {}).items():
        assert old in source, (name, old)
        source = source.replace(old, new)
    program = "\n".join((control.before, source, ENDING))
    command = [sys.executable, "-S", "-c", program]
    if control.ends == "killed":  # a process between: it is the one that dies
        between = f"import subprocess\nsubprocess.run({command!r})"
        command = [sys.executable, "-S", "-c", between]
    reads, writes = os.pipe()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(reads, writes),
            text=True,
        )
        try:
            said, _ = process.communicate(timeout=SECONDS if control.ends == "running" else LONG)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return "out" if control.ends == "running" else f"goes on after {LONG} seconds"
        finally:
            os.close(reads)
            os.close(writes)
    if control.ends == "killed":
        return "out" if process.returncode == -9 else said.strip()
    return "out" if control.ends == "out" and "<out>" in said else said.strip()[-200:]
