"""How the cache follows the API server, against a scripted one in memory."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from itertools import pairwise
from typing import Any, cast

import pytest

from shared.cluster import Cluster
from shared.errors import ClusterUnavailable, Forbidden, Gone
from shared.informer import Informer, Key
from shared.resources import PODS
from shared.types.meta import Json

Step = Exception | float | tuple[str, Json]


def pod(name: str, version: int, image: str = "") -> Json:
    return {"metadata": {"name": name, "namespace": "test", "resourceVersion": str(version)}, "image": image}


class Script:
    """Lists and watches in order; each watch is steps: an event, seconds to wait, or an error to raise."""

    def __init__(self, *script: tuple[list[Json], str] | Exception | list[Step]) -> None:
        self.script = list(script)
        self.calls: list[tuple[float, str]] = []

    def _next(self, what: str) -> Any:
        self.calls.append((asyncio.get_running_loop().time(), what))
        return self.script.pop(0) if self.script else [1_000_000.0]

    async def pages(self, *_: object, **__: object) -> AsyncGenerator[tuple[list[Json], str]]:
        answer = self._next("list")
        if isinstance(answer, Exception):
            raise answer
        yield answer

    async def watch(
        self, *_: object, resource_version: str, **__: object
    ) -> AsyncGenerator[tuple[str, Json]]:
        for step in self._next(f"watch {resource_version}"):
            if isinstance(step, Exception):
                raise step
            if isinstance(step, float):
                await asyncio.sleep(step)
            else:
                yield step

    @property
    def kinds(self) -> list[str]:
        return [what for _, what in self.calls]


class Followed:
    def __init__(self, *script: Any, project: Callable[[Json], str] | None = None) -> None:
        self.server = Script(*script)
        self.informer = Informer(
            cast(Cluster, self.server), PODS, project or (lambda item: cast(str, item["image"]))
        )
        self.told: list[tuple[Key, str | None, str | None]] = []
        self.informer.add_listener(lambda key, old, new: self.told.append((key, old, new)))

    async def run(self, seconds: float) -> None:
        task = asyncio.create_task(self.informer.run())
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait([task])

    @property
    def changes(self) -> list[tuple[str, str | None, str | None]]:
        return [(name, old, new) for (_, name), old, new in self.told]


@pytest.mark.looptime
async def test_the_first_list_fills_the_cache_tells_listeners_and_sets_synced() -> None:
    followed = Followed(([pod("a", 3, "1"), pod("b", 4, "1")], "5"))
    assert not followed.informer.synced.is_set()
    await followed.run(1)
    assert followed.informer.synced.is_set()
    assert followed.informer.cache == {("test", "a"): "1", ("test", "b"): "1"}
    assert followed.changes == [("a", None, "1"), ("b", None, "1")]
    assert followed.server.kinds == ["list", "watch 5"]


@pytest.mark.looptime
async def test_events_change_the_cache() -> None:
    events: list[Step] = [
        ("ADDED", pod("a", 6, "1")),
        ("MODIFIED", pod("a", 7, "2")),
        ("DELETED", pod("a", 8)),
    ]
    followed = Followed(([], "5"), events)
    await followed.run(0.1)
    assert followed.changes == [("a", None, "1"), ("a", "1", "2"), ("a", "2", None)]
    assert followed.informer.cache == {}


@pytest.mark.looptime
async def test_an_update_that_the_projection_does_not_show_is_no_news() -> None:
    followed = Followed(([pod("a", 3, "1")], "5"), [("MODIFIED", pod("a", 6, "1"))])
    await followed.run(0.1)
    assert followed.changes == [("a", None, "1")]


@pytest.mark.looptime
async def test_the_next_watch_begins_at_the_last_event_or_bookmark() -> None:
    bookmark = {"metadata": {"resourceVersion": "90"}}
    followed = Followed(
        ([], "5"), [2.0, ("ADDED", pod("a", 6, "1"))], [2.0, ("BOOKMARK", bookmark)], [1_000.0]
    )
    await followed.run(10)
    assert followed.server.kinds == ["list", "watch 5", "watch 6", "watch 90"]
    assert followed.informer.last_seen == 4


@pytest.mark.looptime
async def test_410_lists_again_and_the_difference_is_told() -> None:
    followed = Followed(
        ([pod("gone", 3, "1"), pod("same", 3, "1"), pod("new image", 3, "1")], "5"),
        [2.0, Gone("too old")],
        ([pod("same", 3, "1"), pod("new image", 20, "2"), pod("new", 21, "1")], "22"),
    )
    await followed.run(5)
    assert followed.changes[3:] == [("gone", "1", None), ("new image", "1", "2"), ("new", None, "1")]
    assert followed.server.kinds == ["list", "watch 5", "list", "watch 22"]


@pytest.mark.looptime
async def test_410_again_and_again_is_no_storm() -> None:
    script: list[Any] = []
    for _ in range(1000):
        script += [([], "5"), [Gone("too old")]]
    followed = Followed(*script)
    await followed.run(60)
    assert 3 <= followed.server.kinds.count("list") <= 10


@pytest.mark.looptime
async def test_watches_that_end_every_second_are_resumed_without_a_list() -> None:
    followed = Followed(([], "5"), *[[1.0, ("ADDED", pod(f"p{n}", 6 + n, "1"))] for n in range(50)])
    await followed.run(51)
    assert followed.server.kinds.count("list") == 1
    assert len(followed.informer.cache) == 50


@pytest.mark.looptime
async def test_watches_that_end_at_once_are_repeated_slower_and_slower() -> None:
    followed = Followed(([], "5"), *[[] for _ in range(1000)])
    await followed.run(300)
    times = [time for time, what in followed.server.calls if what != "list"]
    assert times[1] >= 0.4
    assert len(times) < 30


@pytest.mark.looptime
async def test_errors_are_shown_and_retried_slower_up_to_half_a_minute() -> None:
    followed = Followed(*[Forbidden("pods is forbidden")] * 12, ([pod("a", 3, "1")], "5"))
    task = asyncio.create_task(followed.informer.run())
    await asyncio.sleep(100)
    assert isinstance(followed.informer.failure, Forbidden)
    assert not followed.informer.synced.is_set()
    await followed.informer.synced.wait()
    await asyncio.sleep(0)
    assert followed.informer.failure is None
    times = [time for time, _ in followed.server.calls]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert 0.4 <= gaps[0] <= 0.8
    assert 15 <= max(gaps) <= 30
    task.cancel()


@pytest.mark.looptime
async def test_the_delay_is_short_again_after_a_watch_that_lasted() -> None:
    down: list[Exception] = [ClusterUnavailable("down")] * 6
    followed = Followed(*down, ([], "5"), [5.0, ClusterUnavailable("the watch broke")], [1_000.0])
    await followed.run(200)
    broke = followed.server.calls[-2][0] + 5
    assert followed.server.calls[-1] == (broke, "watch 5")


@pytest.mark.looptime
async def test_old_duplicate_and_out_of_order_events_change_nothing() -> None:
    followed = Followed(
        ([pod("a", 10, "new")], "10"),
        [
            ("MODIFIED", pod("a", 9, "old")),
            ("DELETED", pod("a", 8)),
            ("ADDED", pod("a", 10, "again")),
            ("DELETED", pod("a", 12)),
            ("MODIFIED", pod("a", 11, "risen")),
        ],
    )
    await followed.run(0.1)
    assert followed.changes == [("a", None, "new"), ("a", "new", None)]


@pytest.mark.looptime
async def test_unknown_types_of_events_are_passed_over() -> None:
    followed = Followed(([], "5"), [("RENAMED", pod("a", 6)), ("ADDED", pod("b", 7, "1"))])
    await followed.run(0.1)
    assert followed.changes == [("b", None, "1")]


@pytest.mark.looptime
async def test_a_list_older_than_what_was_seen_is_not_taken() -> None:
    followed = Followed(
        ([pod("a", 10, "1")], "10"),
        [2.0, Gone("lost")],
        ([], "9"),
        ([pod("a", 10, "1"), pod("b", 12, "1")], "12"),
    )
    await followed.run(10)
    assert followed.changes == [("a", None, "1"), ("b", None, "1")]


@pytest.mark.looptime
async def test_a_store_that_was_restored_from_a_backup_is_taken_in_the_end() -> None:
    followed = Followed(([pod("a", 10, "1")], "10"), [2.0, Gone("lost")], *[([], "9")] * 10)
    await followed.run(600)
    assert followed.changes == [("a", None, "1"), ("a", "1", None)]
    assert followed.server.kinds[-1] == "watch 9"


@pytest.mark.looptime
async def test_a_write_of_ours_is_seen_at_once_and_older_events_do_not_undo_it() -> None:
    followed = Followed(
        ([pod("a", 3, "1")], "5"),
        [1.0, ("MODIFIED", pod("a", 6, "2")), ("MODIFIED", pod("a", 7, "3")), ("MODIFIED", pod("a", 8, "4"))],
    )
    task = asyncio.create_task(followed.informer.run())
    await followed.informer.synced.wait()
    followed.informer.assimilate(pod("a", 7, "3"))
    assert followed.informer.cache["test", "a"] == "3"
    followed.informer.assimilate(pod("a", 4, "old"))
    await asyncio.sleep(2)
    assert followed.changes == [("a", None, "1"), ("a", "1", "3"), ("a", "3", "4")]
    task.cancel()


@pytest.mark.looptime
async def test_a_list_that_a_write_of_ours_overtook_does_not_undo_it() -> None:
    followed = Followed(
        ([pod("a", 3, "1")], "5"),
        [2.0, Gone("lost")],
        ([pod("a", 3, "1")], "6"),
        [1.0, ("MODIFIED", pod("a", 7, "2")), ("ADDED", pod("b", 8, "1")), ("DELETED", pod("b", 9))],
    )
    task = asyncio.create_task(followed.informer.run())
    await asyncio.sleep(1)
    followed.informer.assimilate(pod("a", 7, "2"))
    followed.informer.assimilate(pod("b", 8, "1"))
    await asyncio.sleep(9)
    assert followed.changes == [("a", None, "1"), ("a", "1", "2"), ("b", None, "1"), ("b", "1", None)]
    task.cancel()


@pytest.mark.looptime
async def test_versions_that_are_no_numbers_are_not_compared() -> None:
    odd = pod("a", 1, "1")
    odd["metadata"]["resourceVersion"] = "zzz"
    followed = Followed(([], "abc"), [("ADDED", odd)])
    await followed.run(5)
    assert followed.server.kinds == ["list", "watch abc", "watch zzz"]


@pytest.mark.looptime
async def test_a_listener_that_fails_harms_nobody_else() -> None:
    followed = Followed(([], "5"), [("ADDED", pod("a", 6, "1")), ("ADDED", pod("b", 7, "1"))])
    heard: list[Key] = []

    def broken(key: Key, old: str | None, new: str | None) -> None:
        raise RuntimeError("a bug")

    followed.informer.add_listener(broken)
    followed.informer.add_listener(lambda key, old, new: heard.append(key))
    await followed.run(0.1)
    assert heard == [("test", "a"), ("test", "b")]


@pytest.mark.looptime
async def test_an_object_that_cannot_be_read_stays_as_it_was_known() -> None:
    def project(item: Json) -> str:
        if item["image"] == "broken":
            raise ValueError("cannot be read")
        return cast(str, item["image"])

    followed = Followed(
        ([pod("a", 3, "1"), pod("b", 3, "broken")], "5"),
        [("MODIFIED", pod("a", 6, "broken")), ("ADDED", pod("c", 7, "1")), 2.0, Gone("lost")],
        ([pod("a", 6, "broken"), pod("c", 7, "1")], "8"),
        project=project,
    )
    await followed.run(10)
    assert followed.changes == [("a", None, "1"), ("c", None, "1")]
