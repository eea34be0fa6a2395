"""`serve`: a release behind OpenAI's interface, until it is stopped."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tutelage.cli.options import named, of_project
from tutelage.cli.reply import Reply, Session

if TYPE_CHECKING:
    from tutelage.serve.run import Place
    from tutelage.store.release import ReleaseFolder

EXAMPLE = [{"role": "user", "content": "My order has not come."}]


def _placed(
    command: Callable[[Session, str | None, Path, Place], Reply],
) -> Callable[..., Reply]:
    """`--base`, `--host`, `--port` and `--events`, which the command gets as one Place."""

    @wraps(command)
    def placed(session: Session, reference: str | None, project: Path, **given: Any) -> Reply:
        from tutelage.serve.run import Place

        return command(session, reference, project, Place(project=named(project), **given))

    says = "Where events are kept; with the project, or beside the release, if left out."
    for option in (
        click.option(
            "--events",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help=says,
        ),
        click.option(
            "--port",
            type=click.IntRange(0, 65535),
            default=8000,
            show_default=True,
            help="Port to listen on; 0 takes a free one.",
        ),
        click.option(
            "--host", default="127.0.0.1", show_default=True, help="Address to listen on."
        ),
        click.option(
            "--base", metavar="FOLDER", help="Where its base lies, if not where it lay then."
        ),
    ):
        placed = option(placed)
    return placed


@click.command("serve")
@click.argument("reference", metavar="[RELEASE]", required=False)
@of_project
@click.pass_obj
@_placed
def serve_command(session: Session, reference: str | None, project: Path, place: Place) -> Reply:
    """Answer requests with RELEASE, as OpenAI's chat completions do, until Ctrl-C.

    RELEASE is a folder, an artifact's name, or a recipe; the project's latest release
    if left out. Every answer is kept as an event, which POST /v1/feedback can rate. Ends
    with exit code 3 where a waiver the release needs has ended.
    """
    from tutelage.cli.results import find_release
    from tutelage.release.verify import admitted
    from tutelage.serve.run import run

    release = find_release(reference, project)
    release.verify()  # first: what it says of its leave is then what was written
    admitted(release, datetime.now(UTC).date())
    told = _Told(session=session, release=release, place=place)
    run(release, place, told.listening)
    return Reply(data=told.about | {"served": told.url})


@dataclass(slots=True)
class _Told:
    """What is said once the server listens."""

    session: Session
    release: ReleaseFolder
    place: Place
    url: str = ""

    @property
    def about(self) -> dict[str, Any]:
        """What is served, and where its events are kept."""
        from tutelage.store.release import events_path

        release, place = self.release, self.place
        return {
            "release": release.label,
            "digest": release.digest,
            "model": release.serve.model or release.name,
            "events": str(place.events or events_path(release, place.project)),
        }

    def listening(self, url: str) -> None:
        """Says where, and how to ask."""
        self.url = url
        if self.session.as_json:
            sys.stdout.write(json.dumps({"url": url, **self.about}) + "\n")
        else:
            sys.stdout.write(_how_to_ask(url, self.about))
        sys.stdout.flush()


def _how_to_ask(url: str, about: dict[str, Any]) -> str:
    form = json.dumps({"model": about["model"], "messages": EXAMPLE})
    messages = json.dumps(EXAMPLE)
    return f"""\
{about["release"]} listens on {url}; Ctrl-C ends it
events are kept in {about["events"]}

curl {url}/v1/chat/completions -H 'content-type: application/json' \\
  -d '{form}'

from openai import OpenAI
client = OpenAI(base_url="{url}/v1", api_key="none")
answer = client.chat.completions.create(model="{about["model"]}", messages={messages})
"""
