"""The promises of the key queue."""

import asyncio

import pytest

from shared.queue import KeyQueue


def queue() -> KeyQueue[str]:
    return KeyQueue(jitter=lambda: 0.0)


async def taken(keys: KeyQueue[str]) -> list[str]:
    """All keys that can be had right now."""
    got = []
    while True:
        try:
            async with asyncio.timeout(0.0001):
                got.append(await keys.get())
        except TimeoutError:
            return got


@pytest.mark.looptime
async def test_keys_come_out_in_the_order_they_went_in_each_once() -> None:
    keys = queue()
    for key in "abacb":
        keys.add(key)
    assert len(keys) == 3
    assert await taken(keys) == ["a", "b", "c"]
    assert len(keys) == 0


@pytest.mark.looptime
async def test_a_key_in_work_is_not_handed_out_again_before_it_is_done() -> None:
    keys = queue()
    keys.add("a")
    assert await taken(keys) == ["a"]
    keys.add("a")
    keys.add("a")
    assert await taken(keys) == []
    keys.done("a")
    assert await taken(keys) == ["a"]
    keys.done("a")
    assert await taken(keys) == []


@pytest.mark.looptime
async def test_a_key_that_comes_back_queues_behind_the_others() -> None:
    keys = queue()
    for key in "ab":
        keys.add(key)
    first = await keys.get()
    keys.add(first)
    keys.done(first)
    assert await taken(keys) == ["b", "a"]


@pytest.mark.looptime
async def test_a_worker_that_waits_gets_a_key_at_once(looptime: float) -> None:
    keys = queue()
    waiting = asyncio.create_task(keys.get())
    await asyncio.sleep(5)
    keys.add("a")
    assert await waiting == "a"
    assert looptime == 5


@pytest.mark.looptime
async def test_of_two_timers_the_earlier_wins(looptime: float) -> None:
    keys = queue()
    keys.add_after("a", 10)
    keys.add_after("a", 3)
    keys.add_after("a", 7)
    assert await keys.get() == "a"
    assert looptime == 3
    keys.done("a")
    await asyncio.sleep(60)
    assert await taken(keys) == []


@pytest.mark.looptime
async def test_a_timer_outlives_a_pass_that_came_before_it(looptime: float) -> None:
    keys = queue()
    keys.add_after("a", 10)
    keys.add("a")
    keys.done(await keys.get())
    await keys.get()
    assert looptime == 10


@pytest.mark.looptime
async def test_a_timer_in_the_past_is_now(looptime: float) -> None:
    keys = queue()
    keys.add_after("a", -1)
    assert await keys.get() == "a"
    assert looptime == 0


@pytest.mark.looptime
async def test_retries_of_a_key_wait_twice_as_long_each_time_up_to_half_a_minute() -> None:
    keys = queue()
    waits = []
    for _ in range(15):
        waits.append(keys.retry("a"))
        keys.done(await keys.get())
    assert waits[:4] == [0.005, 0.01, 0.02, 0.04]
    assert waits[-2:] == [30.0, 30.0]
    assert keys.retry("b") == 0.005
    keys.forget("a")
    assert keys.retry("a") == 0.005
    keys.close()


async def test_jitter_shortens_a_retry_by_a_quarter_at_most() -> None:
    keys: KeyQueue[str] = KeyQueue(jitter=lambda: 1.0)
    assert keys.retry("a") == pytest.approx(0.005 * 0.75)
    keys.close()


@pytest.mark.looptime
async def test_after_close_no_timer_fires() -> None:
    keys = queue()
    keys.add_after("a", 1)
    keys.close()
    await asyncio.sleep(10)
    assert await taken(keys) == []


@pytest.mark.looptime
async def test_a_worker_that_is_cancelled_takes_no_key_with_it() -> None:
    keys = queue()
    waiting = asyncio.create_task(keys.get())
    await asyncio.sleep(0)
    keys.add("a")
    waiting.cancel()
    await asyncio.wait([waiting])
    assert await taken(keys) == ["a"]
