"""`python -m tutelage`: the same command as `tutelage`."""

from __future__ import annotations

import sys

from tutelage.cli.process import program

if __name__ == "__main__":
    sys.exit(program())
