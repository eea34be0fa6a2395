"""The last steps of a program's process: its answers to expressions, or its run as a script.

All that is here runs beside code that may change anything within reach. What it sends back
is therefore taken for no more than values: who wrote them does not matter, since what they
are compared with is not in this process.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from tutelage.sandbox.values import decode, encode, raised

WHOLE = -1  # in the place of an expression's number: the program itself
FILE = "answer.py"


def answer(request: Mapping[str, Any], results: int) -> None:
    """Runs the source, then each step, and writes a line a value to `results`.

    A line is the request's nonce, the step's number and the value. Nothing comes back to
    the caller: the process ends here, whatever the program left running.
    """
    write, leave, nonce = os.write, os._exit, request["nonce"]

    def send(number: int, text: str) -> None:
        left = f"{nonce} {number} {text}\n".encode()
        while left:
            left = left[write(results, left) :]

    scope = _main().__dict__
    try:
        for name, text in request["given"].items():
            scope[name] = decode(text)
        exec(compile(request["source"], FILE, "exec"), scope)
        _prepare(request["setup"], scope, bool(request["lenient"]))
    except BaseException as error:  # noqa: BLE001 - a program may raise anything
        send(WHOLE, raised(error))
        leave(0)
    _steps(request["steps"], scope, send)
    leave(0)


def script(request: Mapping[str, Any]) -> None:
    """Runs the source as a command would: arguments, standard input and output, exit code."""
    sys.argv = [FILE, *request["argv"]]
    sys.stdin = os.fdopen(0, "r", encoding="utf-8")
    sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", encoding="utf-8")
    code = 0
    try:
        exec(compile(request["source"], FILE, "exec"), _main().__dict__)
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - as a command does
        traceback.print_exc()
        code = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code & 255)


def _steps(steps: Sequence[Sequence[str]], scope: dict[str, Any], send: Any) -> None:
    for number, (kind, text) in enumerate(steps):
        try:
            if kind == "exec":
                exec(compile(text, "test.py", "exec"), scope)
                told = encode(None)
            else:
                told = encode(eval(compile(text, "test.py", "eval"), scope))
        except BaseException as error:  # noqa: BLE001 - a program may raise anything
            told = raised(error)
        send(number, told)


def _prepare(setup: Sequence[str], scope: dict[str, Any], lenient: bool) -> None:
    """Runs the statements of a setup; a lenient one goes on past those that fail."""
    for statement in setup:
        try:
            exec(compile(statement, "setup.py", "exec"), scope)
        except Exception:
            if not lenient:
                raise


def _main() -> ModuleType:
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    return module
