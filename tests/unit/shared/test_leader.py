"""One leader at a time, by the monotonic clock."""

import asyncio
import contextlib
from itertools import pairwise
from typing import cast

import pytest

from shared.cluster import Cluster
from shared.leader import LeaderSettings, LeadershipLost, lead
from tests.unit.shared.lease_server import LeaseServer

pytestmark = pytest.mark.looptime


class Replica:
    """A process that competes. `worked` holds the times at which it began and ended work."""

    def __init__(self, server: LeaseServer, identity: str) -> None:
        self.worked: list[tuple[float, float]] = []
        self.began = asyncio.Event()
        settings = LeaderSettings("pinfeather", "traefik", identity)
        self.task = asyncio.create_task(lead(cast(Cluster, server), settings, self._work))

    async def _work(self) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.worked.append((began, clock()))

    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError, LeadershipLost):
            await self.task


def holder(server: LeaseServer) -> str:
    return cast(str, server.objects["pinfeather"]["spec"]["holderIdentity"])


async def test_the_first_replica_creates_the_lease_and_leads(looptime: float) -> None:
    server = LeaseServer()
    replica = Replica(server, "a")
    await replica.began.wait()
    assert looptime == 0
    spec = server.objects["pinfeather"]["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("a", 15, 0)
    await replica.stop()


async def test_a_leader_renews_every_five_seconds_with_one_request() -> None:
    server = LeaseServer()
    replica = Replica(server, "a")
    await asyncio.sleep(101)
    assert server.count("replace") == 20
    assert server.count("get") == 1
    await replica.stop()


async def test_a_leader_that_leaves_gives_the_lease_back_and_the_next_begins_soon(looptime: float) -> None:
    server = LeaseServer()
    first = Replica(server, "a")
    await first.began.wait()
    second = Replica(server, "b")
    await asyncio.sleep(30)
    assert not second.began.is_set()
    await first.stop()
    assert holder(server) == ""
    await second.began.wait()
    assert looptime <= 33
    assert server.objects["pinfeather"]["spec"]["leaseTransitions"] == 1
    await second.stop()


async def test_the_lease_of_a_dead_leader_is_taken_when_it_has_not_changed_for_its_duration(
    looptime: float,
) -> None:
    server = LeaseServer()
    first = Replica(server, "a")
    await first.began.wait()
    second = Replica(server, "b")
    await asyncio.sleep(31)  # the last renewal is at 30
    server.down = True
    await first.stop()  # cannot give the Lease back
    server.down = False
    await second.began.wait()
    assert 45 <= looptime <= 48
    await second.stop()


async def test_what_the_lease_says_about_time_is_not_believed(looptime: float) -> None:
    server = LeaseServer()
    old = "2001-01-01T00:00:00.000000Z"
    server.objects["pinfeather"] = {
        "metadata": {"name": "pinfeather", "namespace": "traefik", "resourceVersion": "1"},
        "spec": {"holderIdentity": "dead", "leaseDurationSeconds": 15, "renewTime": old, "acquireTime": old},
    }
    replica = Replica(server, "a")
    await replica.began.wait()
    assert 15 <= looptime <= 15.1
    await replica.stop()


async def test_its_own_lease_is_taken_at_once_after_a_restart(looptime: float) -> None:
    server = LeaseServer()
    server.objects["pinfeather"] = {
        "metadata": {"name": "pinfeather", "namespace": "traefik", "resourceVersion": "1"},
        "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15},
    }
    replica = Replica(server, "a")
    await replica.began.wait()
    assert looptime == 0
    await replica.stop()


@pytest.mark.parametrize("trouble", ["down", "hangs"])
async def test_a_leader_that_cannot_renew_stops_before_others_may_begin(trouble: str) -> None:
    server = LeaseServer()
    replica = Replica(server, "a")
    await asyncio.sleep(31)  # the last renewal is at 30
    setattr(server, trouble, True)
    with pytest.raises(LeadershipLost, match="traefik/pinfeather"):
        await replica.task
    ((_, ended),) = replica.worked
    assert ended <= 40


async def test_a_short_outage_is_bridged() -> None:
    server = LeaseServer()
    replica = Replica(server, "a")
    await asyncio.sleep(31)
    server.down = True
    await asyncio.sleep(7)
    server.down = False
    await asyncio.sleep(60)
    assert not replica.task.done()
    assert holder(server) == "a"
    await replica.stop()


async def test_a_leader_whose_lease_was_taken_stops_with_its_next_renewal(looptime: float) -> None:
    server = LeaseServer()
    replica = Replica(server, "a")
    await asyncio.sleep(31)
    stolen = server.objects["pinfeather"]
    stolen["spec"]["holderIdentity"] = "thief"
    stolen["metadata"]["resourceVersion"] = "1000"
    with pytest.raises(LeadershipLost):
        await replica.task
    assert looptime <= 35
    assert holder(server) == "thief"


async def test_a_write_of_somebody_else_to_our_lease_is_no_loss() -> None:
    server = LeaseServer()
    replica = Replica(server, "a")
    await asyncio.sleep(31)
    server.objects["pinfeather"]["metadata"] |= {"labels": {"a": "b"}, "resourceVersion": "1000"}
    await asyncio.sleep(60)
    assert not replica.task.done()
    assert server.objects["pinfeather"]["metadata"]["labels"] == {"a": "b"}
    await replica.stop()


async def test_of_many_replicas_never_two_work_at_once() -> None:
    server = LeaseServer()
    replicas = [Replica(server, f"r{number}") for number in range(5)]
    for _ in range(4):
        await asyncio.sleep(20)
        leader = next(each for each in replicas if each.task and each.began.is_set() and not each.worked)
        await leader.stop()
    for replica in replicas:
        await replica.stop()
    spans = sorted(span for replica in replicas for span in replica.worked)
    assert len(spans) >= 4
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))


async def test_an_api_server_that_is_away_at_the_start_is_waited_for(looptime: float) -> None:
    server = LeaseServer()
    server.down = True
    replica = Replica(server, "a")
    await asyncio.sleep(60)
    server.down = False
    await replica.began.wait()
    assert looptime <= 62
    await replica.stop()


async def test_work_that_ends_gives_the_lease_back() -> None:
    server = LeaseServer()

    async def work() -> None:
        await asyncio.sleep(1)

    await lead(cast(Cluster, server), LeaderSettings("pinfeather", "traefik", "a"), work)
    assert holder(server) == ""


async def test_work_that_fails_gives_the_lease_back_and_passes_its_error_on() -> None:
    server = LeaseServer()

    async def work() -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        await lead(cast(Cluster, server), LeaderSettings("pinfeather", "traefik", "a"), work)
    assert holder(server) == ""


async def test_the_lease_is_kept_until_the_last_write_of_the_work() -> None:
    server = LeaseServer()
    seen: list[str] = []
    began = asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(3)
            seen.append(holder(server))

    task = asyncio.create_task(
        lead(cast(Cluster, server), LeaderSettings("pinfeather", "traefik", "a"), work)
    )
    await began.wait()
    task.cancel()
    await asyncio.wait([task])
    assert seen == ["a"]
    assert holder(server) == ""
