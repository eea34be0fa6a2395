"""The command line: one command a stage, and those around them."""

from __future__ import annotations

from tutelage.cli.frame import main as main
