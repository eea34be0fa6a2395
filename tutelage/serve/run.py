"""The door: a release and where it listens, to a server that runs until it is stopped."""

from __future__ import annotations

import ipaddress
import logging
import math
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from tutelage.core.errors import TutelageError
from tutelage.store.release import ReleaseFolder, events_path

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from uvicorn import Config

HOST, PORT = "127.0.0.1", 8000
BACKLOG = 128
GRACE_SECONDS = 5.0  # beyond the longest answer, for what is being sent
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a server listens, what it answers from, and where it keeps its events."""

    host: str = HOST
    port: int = PORT  # 0 takes a free one
    base: str | None = None  # the base's folder, where it is not the one the release names
    events: Path | None = None  # the journal; the project's, or beside the release, if left out
    project: Path | None = None  # whose folder the base is named from, and keeps the events


def run(release: ReleaseFolder, place: Place, ready: Callable[[str], None]) -> None:
    """Serves a release until SIGTERM or Ctrl-C; answers under way are ended first.

    `ready` is told the address when the release is opened and requests are taken.
    Raises: TutelageError where the port is taken; whatever opening release or journal raises.
    """
    import uvicorn

    with listen(place) as listener:  # first: it costs nothing to find the port taken
        app = open_app(release, place, local=_loopback(listener))
        config = _config(app, release.serve.timeout_seconds)
        ready(address(listener))  # what comes before the first look waits in the backlog
        with _stopped_quietly():
            uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def serving(release: ReleaseFolder, place: Place) -> Iterator[str]:
    """The address of a server that runs in a thread for the block.

    Raises: TutelageError where the port is taken; whatever opening release or journal raises.
    """
    with listen(place) as listener:
        app = open_app(release, place, local=_loopback(listener))
        with answering(app, listener, longest=release.serve.timeout_seconds) as url:
            yield url


@contextmanager
def answering(app: Starlette, listener: socket.socket, *, longest: float) -> Iterator[str]:
    """The address at which an application answers, in a thread, for the block.

    `longest`: seconds an answer may take. What is not done then, when the block has ended,
    is broken off: a request that was sent by half would never be.
    """
    import uvicorn

    server = uvicorn.Server(_config(app, longest))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield address(listener)
    finally:
        server.should_exit = True
        thread.join()


def _config(app: Starlette, longest: float) -> Config:
    from uvicorn import Config

    grace = math.ceil(longest + GRACE_SECONDS)
    return Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=grace)


def open_app(release: ReleaseFolder, place: Place, *, local: bool = True) -> Starlette:
    """The application that serves a release, which is proven and opened; its end closes all.

    `local`: it listens on a loopback address alone.

    Raises: TutelageError.
    """
    from tutelage.engine.release import open_release
    from tutelage.serve.answer import Answerer
    from tutelage.serve.app import make_app
    from tutelage.serve.served import Served
    from tutelage.store.journal import Journal

    with ExitStack() as undo:
        journal = Journal.open(place.events or events_path(release, place.project))
        undo.callback(journal.close)
        home = None if place.base else place.project  # `--base` is written from here
        opened = open_release(release, base=place.base, relative_to=home)
        undo.callback(opened.engine.close)
        served = Served(
            name=release.name,
            label=release.label,
            digest=release.digest,
            base=str(release.form["base"]["name"]),
            section=release.serve,
            contract=opened.contract,
            engine=opened.engine,
        )
        app = make_app(Answerer(served, journal), local=local)
        undo.pop_all()
    return app


def listen(place: Place) -> socket.socket:
    """A socket that listens where it is asked to.

    Raises: TutelageError where it cannot.
    """
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    try:
        listener = socket.create_server((place.host, place.port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TutelageError(
            f"nothing can listen there: {why}",
            where=f"{place.host}:{place.port}",
            hint="`--port 0` takes a free port; another server may hold this one",
        ) from error
    if not _loopback(listener):
        LOG.warning("whoever reaches %s is answered: there is no sign-in", address(listener))
    return listener


def address(listener: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


@contextmanager
def _stopped_quietly() -> Iterator[None]:
    """Being told to stop is how a server ends: no error, and no death by the signal."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {one: signal.signal(one, _stop) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except KeyboardInterrupt:
        pass  # uvicorn raises the signal again, once everything is closed
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
