"""When a request is sent again, and how requests line up after a 429."""

import asyncio

import pytest

from shared.errors import ClusterUnavailable
from shared.pace import LONGEST_DELAY, Failure, Pace, retry_delay, urgent

ERROR = ClusterUnavailable("x")


@pytest.mark.parametrize(
    ("failure", "reads", "writes"),
    [
        pytest.param(Failure(ERROR, unsent=True), True, True, id="never sent"),
        pytest.param(Failure(ERROR), True, False, id="no answer"),
        pytest.param(Failure(ERROR, 429), True, True, id="429"),
        pytest.param(Failure(ERROR, 500), True, False, id="500"),
        pytest.param(Failure(ERROR, 500, 1), True, True, id="500 with Retry-After"),
        pytest.param(Failure(ERROR, 503), True, False, id="503"),
        pytest.param(Failure(ERROR, 503, 1), True, True, id="503 with Retry-After"),
        pytest.param(Failure(ERROR, 404), False, False, id="404"),
        pytest.param(Failure(ERROR, 409, 1), False, False, id="409"),
    ],
)
def test_only_safe_requests_are_sent_again(failure: Failure, reads: bool, writes: bool) -> None:  # noqa: FBT001 - a table
    assert (retry_delay(failure, "GET", 0) is not None) is reads
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        assert (retry_delay(failure, method, 0) is not None) is writes


def test_delays_grow_up_to_a_limit_and_never_undercut_the_server() -> None:
    for attempt, expected in [(0, 0.1), (1, 0.2), (3, 0.8), (100, LONGEST_DELAY)]:
        delay = retry_delay(Failure(ERROR, 500), "GET", attempt)
        assert delay is not None
        assert 0.75 * expected <= delay <= 1.25 * expected
    assert retry_delay(Failure(ERROR, 429, 20), "GET", 0) == 20


async def arrivals(pace: Pace, count: int) -> list[float]:
    clock = asyncio.get_running_loop().time
    times: list[float] = []

    async def one() -> None:
        await pace.turn()
        times.append(clock())

    await asyncio.gather(*(one() for _ in range(count)))
    return times


@pytest.mark.looptime
async def test_in_normal_times_nobody_waits() -> None:
    assert await arrivals(Pace(), 100) == [0] * 100


@pytest.mark.looptime
async def test_after_a_429_requests_wait_and_then_go_out_twenty_a_second() -> None:
    pace = Pace()
    pace.throttled(2)
    times = await arrivals(pace, 200)
    assert times == pytest.approx([2 + 0.05 * number for number in range(200)])
    await asyncio.sleep(10)
    assert len(set(await arrivals(pace, 10))) == 1


@pytest.mark.looptime
async def test_urgent_requests_do_not_wait() -> None:
    pace = Pace()
    pace.throttled(2)
    with urgent():
        assert await arrivals(pace, 3) == [0] * 3
    assert await arrivals(pace, 1) == [2]
