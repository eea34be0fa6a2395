"""The command as a process of its own, which has to leave as well as to come."""

from __future__ import annotations

import atexit
import logging
import os
import sys

from tutelage.cli.frame import main
from tutelage.core.world import several

CRASHED = 1  # exit code where the command did not come to one


def program() -> int:
    """Runs the command line of this process; returns the exit code.

    One of several that train together leaves without taking the interpreter down: gloo's own
    threads may still hold tensors, and end the process with SIGABRT when they let them go then
    (pytorch/pytorch#190489). What was registered with atexit has run before.
    """
    if not several(os.environ):
        return main()
    codes: list[int] = []
    leave_at_once(codes)
    codes.append(main())
    return codes[0]


def leave_at_once(codes: list[int]) -> None:
    """Has this process end with the first of `codes` as soon as what atexit keeps has run.

    To be called first: the last to be registered runs first.
    """

    def leave() -> None:
        try:
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:  # whoever reads them may have gone
            os._exit(codes[0] if codes else CRASHED)

    atexit.register(leave)
