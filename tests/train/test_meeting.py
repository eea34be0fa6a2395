"""Rank 0 prepares, the others wait for its news: in threads, over a store of this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import torch

from tutelage.core.errors import PeerLost, RecipeError, UsageError
from tutelage.core.world import World, several
from tutelage.train.group import threads_of
from tutelage.train.meeting import connect, hosting, leave, tell, wait_for_news

ADDRESS = "127.0.0.1"


@pytest.fixture
def worlds() -> Iterator[tuple[World, World]]:
    with socket.create_server((ADDRESS, 0)) as server:
        port, handed = server.getsockname()[1], server.dup().detach()
        first = World(size=2, address=ADDRESS, port=port, listening=handed)
        yield first, World(rank=1, size=2, address=ADDRESS, port=port)


def heard(world: World) -> dict[str, str] | None:
    store = connect(world)
    try:
        return wait_for_news(store)
    finally:
        leave(store)


def test_the_others_hear_what_rank_0_prepared(worlds: tuple[World, World]) -> None:
    first, second = worlds
    with ThreadPoolExecutor() as pool, hosting(first):
        waiting = pool.submit(heard, second)
        tell(connect(second), {"ready": {"adapter": "k"}})
        assert waiting.result() == {"adapter": "k"}


def test_the_others_hear_of_one_training_after_the_other(worlds: tuple[World, World]) -> None:
    first, second = worlds
    with hosting(first):
        store = connect(second)
        assert [tell(store, {"ready": {"training": one}}) for one in "12"] == [0, 1]
        assert wait_for_news(store, 1) == {"training": "2"}
        assert wait_for_news(store) == {"training": "1"}
        leave(store)


def test_the_others_leave_when_there_is_nothing_to_train(worlds: tuple[World, World]) -> None:
    first, second = worlds
    with ThreadPoolExecutor() as pool:
        with hosting(first):
            waiting = pool.submit(heard, second)
        assert waiting.result() is None


def test_the_others_hear_that_rank_0_failed(worlds: tuple[World, World]) -> None:
    first, second = worlds
    with ThreadPoolExecutor() as pool:
        store = None
        with suppress(RecipeError), hosting(first):
            store = connect(second)
            raise RecipeError("no section `train`")
        assert store is not None
        waiting = pool.submit(wait_for_news, store)
        with pytest.raises(PeerLost, match="rank 0"):
            waiting.result()


def test_rank_0_that_gives_no_sign_of_life_counts_as_gone(worlds: tuple[World, World]) -> None:
    first, _ = worlds
    store = connect(first, server=True)
    with pytest.raises(PeerLost, match="no sign of life for 0 seconds"):
        wait_for_news(store, silence=0.0)


def test_one_process_is_a_world_of_its_own() -> None:
    assert World.here({}) == World()
    assert World.here({"RANK": "0", "WORLD_SIZE": "1"}) == World()
    assert World.here({"MASTER_ADDR": "left", "MASTER_PORT": "over"}) == World()
    assert not several({"RANK": "0", "WORLD_SIZE": "1"})


def test_a_world_is_read_from_torchruns_variables() -> None:
    world = World.here(
        {
            "RANK": "5",
            "WORLD_SIZE": "8",
            "LOCAL_RANK": "1",
            "LOCAL_WORLD_SIZE": "4",
            "MASTER_ADDR": "node-0",
            "MASTER_PORT": "29500",
            "TORCHELASTIC_USE_AGENT_STORE": "True",
            "TORCHELASTIC_RESTART_COUNT": "2",
        }
    )
    assert world == World(
        rank=5,
        size=8,
        local_rank=1,
        local_size=4,
        address="node-0",
        port=29500,
        hosted=True,
        restarts=2,
    )
    assert not world.first


def test_the_threads_of_a_machine_are_shared_by_its_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    four = World(size=8, local_size=4)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [threads_of(count, four) for count in (8, 3)] == [2, 1]
    assert threads_of(None, four) == max(1, torch.get_num_threads() // 4)
    assert (threads_of(8, World()), threads_of(None, World())) == (8, None)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # said of one process
    assert threads_of(None, four) is None


WHOLE = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "here", "MASTER_PORT": "1"}


@pytest.mark.parametrize(
    ("environ", "wrong"),
    [
        ({"RANK": "0", "WORLD_SIZE": "2"}, {"MASTER_ADDR", "MASTER_PORT"}),
        ({"WORLD_SIZE": "2", "MASTER_ADDR": "here"}, {"RANK", "MASTER_PORT"}),
        ({"RANK": "x"}, {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}),
        ({"RANK": "1", "WORLD_SIZE": "1"}, {"RANK", "MASTER_ADDR", "MASTER_PORT"}),
        (WHOLE | {"RANK": "x"}, {"RANK"}),
        (WHOLE | {"RANK": "2"}, {"RANK"}),
        (WHOLE | {"WORLD_SIZE": "-1"}, {"WORLD_SIZE"}),
        (WHOLE | {"WORLD_SIZE": "9" * 5000}, {"WORLD_SIZE"}),
        (WHOLE | {"MASTER_PORT": "", "MASTER_ADDR": ""}, {"MASTER_ADDR", "MASTER_PORT"}),
        (WHOLE | {"MASTER_PORT": "99999"}, {"MASTER_PORT"}),
        (WHOLE | {"MASTER_PORT": "0"}, {"MASTER_PORT"}),
        (WHOLE | {"LOCAL_RANK": "one"}, {"LOCAL_RANK"}),
        (WHOLE | {"LOCAL_RANK": "5"}, {"LOCAL_RANK"}),
        (WHOLE | {"LOCAL_WORLD_SIZE": "3"}, {"LOCAL_WORLD_SIZE"}),
        (WHOLE | {"TORCHELASTIC_RESTART_COUNT": "x"}, {"TORCHELASTIC_RESTART_COUNT"}),
        (WHOLE | {"TUTELAGE_LISTENING": "x"}, {"TUTELAGE_LISTENING"}),
        (
            WHOLE | {"RANK": "7", "MASTER_PORT": "y", "LOCAL_RANK": "-"},
            {"RANK", "MASTER_PORT", "LOCAL_RANK"},
        ),
    ],
)
def test_what_is_wrong_with_torchruns_variables_is_told_all_at_once(
    environ: dict[str, str], wrong: set[str]
) -> None:
    assert several(environ)
    with pytest.raises(UsageError) as caught:
        World.here(environ)
    assert {row.where for row in caught.value.rows} == wrong


def test_the_bounds_of_a_number_are_told() -> None:
    with pytest.raises(UsageError) as caught:
        World.here(WHOLE | {"RANK": "2", "MASTER_PORT": "0", "WORLD_SIZE": "2"})
    assert [row.problem for row in caught.value.rows] == [
        "is `2`, expected a whole number, 0 to 1",
        "is `0`, expected a whole number, 1 to 65535",
    ]
