"""Where the processes that train together meet, before any of them computes.

Rank 0 prepares alone, however long that takes. The others wait at a key-value store, not in a
collective, so that a slow preparation is never a collective's timeout; they leave when rank 0
says what it has made, that it is over, or that it failed, and when it is not heard of any more.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta

import torch.distributed as dist
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore

from tutelage.core.errors import PeerLost, TutelageError
from tutelage.core.world import World

NEWS, TOLD, BEAT, LEFT = "news", "told", "beat", "left"
BEATS = 5.0  # seconds between two signs of life
SILENCE = 180.0  # seconds without one, after which rank 0 counts as gone
LOOK = 0.2
CONNECT = timedelta(minutes=15)  # until rank 0 has started at all
LEAVE = 10.0  # seconds the others have to read the last news


def connect(world: World, *, server: bool = False) -> Store:
    """The store of the processes' address; keys of another start do not mix with these.

    Raises: PeerLost where no one answers.
    """
    host = server and not world.hosted
    try:
        store = TCPStore(
            world.address,
            world.port,
            is_master=host,
            wait_for_workers=False,
            timeout=CONNECT,
            master_listen_fd=world.listening if host else None,
        )
    except dist.DistError as error:
        raise PeerLost(
            f"rank {world.rank} finds no one at {world.address}:{world.port}: {error}",
            hint="see that MASTER_ADDR and MASTER_PORT are the same everywhere and not in use",
        ) from error
    return PrefixStore(f"tutelage/{world.restarts}", store)


@contextmanager
def hosting(world: World) -> Iterator[None]:
    """Rank 0 keeps the others posted for the block: alive, then over or failed."""
    store = connect(world, server=True)
    done = threading.Event()

    def beat() -> None:
        while not done.wait(BEATS):
            store.add(BEAT, 1)

    store.add(BEAT, 1)
    thread = threading.Thread(target=beat, name="beat", daemon=True)
    thread.start()
    try:
        yield
    except TutelageError as error:
        tell(store, {"failed": error.message})
        raise
    except BaseException as error:
        tell(store, {"failed": type(error).__name__})
        raise
    else:
        tell(store, {"over": True})
        _wait_for_others(store, world)
    finally:
        done.set()
        thread.join()


def tell(store: Store, news: Mapping[str, object]) -> int:
    """What the waiting ones are to know next; how many news there were before."""
    number = store.add(TOLD, 1) - 1
    store.set(f"{NEWS}/{number}", json.dumps(dict(news)))
    return number


def wait_for_news(
    store: Store, heard: int = 0, *, silence: float = SILENCE
) -> dict[str, str] | None:
    """What rank 0 announces to train on after so many news, whenever it does; None where it
    trains nothing more.

    Raises: PeerLost where it failed, or no sign of life came for `silence` seconds.
    """
    seen, last = 0, time.monotonic()
    key = f"{NEWS}/{heard}"
    while True:
        try:
            if store.check([key]):
                news = json.loads(store.get(key))
                break
            beats = store.add(BEAT, 0)
        except dist.DistError as error:
            raise PeerLost("rank 0 is gone, before anything was trained") from error
        if beats != seen:
            seen, last = beats, time.monotonic()
        elif time.monotonic() - last > silence:
            raise PeerLost(
                f"rank 0 gave no sign of life for {silence:.0f} seconds",
                hint="see what became of it where it was started",
            )
        time.sleep(LOOK)
    if "failed" in news:
        raise PeerLost(f"rank 0 failed: {news['failed']}")
    ready: dict[str, str] | None = news.get("ready")
    return ready


def leave(store: Store) -> None:
    """Tells rank 0 that one of the others needs it no more."""
    with suppress(dist.DistError):  # it has gone first
        store.add(LEFT, 1)


def _wait_for_others(store: Store, world: World) -> None:
    until = time.monotonic() + LEAVE
    while store.add(LEFT, 0) < world.size - 1 and time.monotonic() < until:
        time.sleep(LOOK)
