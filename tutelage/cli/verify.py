"""`verify`: a release, compared with all it says of itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from tutelage.cli.options import named, of_project
from tutelage.cli.reply import Reply
from tutelage.cli.terminal import marked
from tutelage.core.errors import BadRow, TutelageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tutelage.release.verify import Checked
    from tutelage.store.release import ReleaseFolder


@click.command("verify")
@click.argument("reference", metavar="[RELEASE]", required=False)
@click.option("--base", metavar="FOLDER", help="Where its base lies, if not where it lay then.")
@of_project
def verify_command(reference: str | None, base: str | None, project: Path) -> Reply:
    """Compare every byte of RELEASE, its base and contract, and prove that its adapter is live.

    RELEASE is a folder, an artifact's name, or a recipe; the project's latest release
    if left out.
    """
    from tutelage.cli.results import find_release
    from tutelage.release.verify import verify

    release = find_release(reference, project)
    home = None if base else named(project)  # `--base` is written from here
    today = datetime.now(UTC).date()
    checks = [*verify(release, base=base, relative_to=home, today=today)]
    failed = [one for one in checks if one.error is not None]
    data = {
        "release": release.label,
        "digest": release.digest,
        "checks": [
            {
                "check": one.what,
                "ok": one.ok,
                "says": one.says,
                "error": one.error.form() if one.error else None,
            }
            for one in checks
        ],
    }
    return Reply(
        data=data,
        draw=lambda console: _draw(console, release, checks),
        error=_error(release, failed) if failed else None,
    )


def _draw(console: Console, release: ReleaseFolder, checks: Sequence[Checked]) -> None:
    console.print(Text(release.label, "bold"))
    width = max(len(one.what) for one in checks)
    for one in checks:
        state = "good" if one.ok else "bad" if one.reached else "note"
        says = one.error.message if one.error else one.says
        console.print(marked(state, one.what, says, width=width), soft_wrap=True)


def _error(release: ReleaseFolder, failed: Sequence[Checked]) -> TutelageError:
    rows = [
        row
        for one in failed
        if one.error is not None
        for row in (one.error.rows or [BadRow(where=one.what, problem=one.error.message)])
    ]
    hints = [one.error.hint for one in failed if one.error is not None and one.error.hint]
    return TutelageError(
        f"{release.label} is not what it says it is",
        expected=next((one.error.expected for one in failed if one.error), ""),
        rows=rows,
        hint="; ".join(dict.fromkeys(hints)),
    )
