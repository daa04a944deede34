"""What goes out as Events, in how few requests."""

import asyncio
from datetime import UTC, datetime
from typing import cast

import pytest

from shared.cluster import Cluster
from shared.events import MOST_WAITING, EventRecorder
from shared.types.meta import Json
from tests.unit.shared.lease_server import LeaseServer

NOW = datetime(2026, 11, 22, 20, 11, 15, 123456, tzinfo=UTC)
PODINFO = {
    "apiVersion": "flagger.app/v1beta1",
    "kind": "Canary",
    "namespace": "test",
    "name": "podinfo",
    "uid": "u1",
}
OTHER = PODINFO | {"name": "other", "uid": "u2"}


@pytest.fixture
def server() -> LeaseServer:
    return LeaseServer()


@pytest.fixture
def events(server: LeaseServer) -> EventRecorder:
    return EventRecorder(cast(Cluster, server), "flagger", now=lambda: NOW)


def sent(server: LeaseServer) -> list[tuple[str, str, str]]:
    return [
        (event["involvedObject"]["name"], event["type"], event["message"])
        for event in server.objects.values()
    ]


async def test_an_event_has_what_kubectl_describe_shows(server: LeaseServer, events: EventRecorder) -> None:
    events.record(PODINFO, "Normal", "New revision detected!")
    await events.flush()
    ((name, event),) = server.objects.items()
    assert name.startswith("podinfo.")
    int(name.removeprefix("podinfo."), 16)
    del event["metadata"]
    at = "2026-11-22T20:11:15Z"
    assert event == {
        "apiVersion": "v1",
        "kind": "Event",
        "involvedObject": PODINFO,
        "reason": "Synced",
        "message": "New revision detected!",
        "type": "Normal",
        "source": {"component": "flagger"},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
        "reportingComponent": "flagger",
        "reportingInstance": "",
    }


async def test_the_same_message_again_counts_up(server: LeaseServer, events: EventRecorder) -> None:
    for _ in range(3):
        events.record(PODINFO, "Warning", "Halt advancement")
        await events.flush()
    (event,) = server.objects.values()
    assert event["count"] == 3
    assert [call for _, call in server.calls] == ["create", "patch", "patch"]


async def test_another_object_type_or_message_is_another_event(
    server: LeaseServer, events: EventRecorder
) -> None:
    events.record(PODINFO, "Normal", "a")
    events.record(OTHER, "Normal", "a")
    events.record(PODINFO, "Warning", "a")
    events.record(PODINFO, "Normal", "b")
    await events.flush()
    assert len(server.objects) == 4


async def test_an_event_that_the_server_has_forgotten_is_sent_anew(
    server: LeaseServer, events: EventRecorder
) -> None:
    events.record(PODINFO, "Normal", "a")
    await events.flush()
    server.objects.clear()
    events.record(PODINFO, "Normal", "a")
    await events.flush()
    assert [event["count"] for event in server.objects.values()] == [1]


async def test_held_messages_go_out_with_the_next_one_as_lines_of_one_event(
    server: LeaseServer, events: EventRecorder
) -> None:
    events.record(PODINFO, "Normal", "one", hold=True)
    events.record(OTHER, "Normal", "not related")
    events.record(PODINFO, "Normal", "two", hold=True)
    events.record(PODINFO, "Normal", "three")
    await events.flush()
    assert sent(server) == [("other", "Normal", "not related"), ("podinfo", "Normal", "one\ntwo\nthree")]


async def test_normal_and_warning_are_never_joined(server: LeaseServer, events: EventRecorder) -> None:
    events.record(PODINFO, "Normal", "one", hold=True)
    events.record(PODINFO, "Warning", "two")
    await events.flush()
    assert sent(server) == [("podinfo", "Normal", "one"), ("podinfo", "Warning", "two")]


@pytest.mark.looptime
async def test_a_held_message_waits_half_a_minute_at_most(server: LeaseServer, events: EventRecorder) -> None:
    running = asyncio.create_task(events.run())
    events.record(PODINFO, "Normal", "one", hold=True)
    await asyncio.sleep(20)
    events.record(PODINFO, "Normal", "two", hold=True)
    await asyncio.sleep(9)
    assert not server.objects
    await asyncio.sleep(2)
    assert sent(server) == [("podinfo", "Normal", "one\ntwo")]
    running.cancel()


@pytest.mark.looptime
async def test_run_sends_without_being_asked(server: LeaseServer, events: EventRecorder) -> None:
    running = asyncio.create_task(events.run())
    for message in ("a", "b"):
        events.record(PODINFO, "Normal", message)
        await asyncio.sleep(1)
    assert [message for _, _, message in sent(server)] == ["a", "b"]
    running.cancel()


async def test_an_event_that_cannot_be_sent_is_logged_and_the_next_one_goes_out(
    server: LeaseServer, events: EventRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    server.down = True
    events.record(PODINFO, "Normal", "lost")
    await events.flush()
    assert "event cannot be sent" in caplog.text
    server.down = False
    events.record(PODINFO, "Normal", "a")
    await events.flush()
    assert [message for _, _, message in sent(server)] == ["a"]


@pytest.mark.looptime
async def test_what_a_cancelled_run_was_sending_is_sent_by_flush(
    server: LeaseServer, events: EventRecorder
) -> None:
    server.hangs = True
    running = asyncio.create_task(events.run())
    events.record(PODINFO, "Normal", "a")
    await asyncio.sleep(1)
    running.cancel()
    await asyncio.wait([running])
    server.hangs = False
    await events.flush()
    assert [message for _, _, message in sent(server)] == ["a"]


async def test_no_more_than_the_limit_wait(
    server: LeaseServer, events: EventRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(MOST_WAITING + 5):
        events.record(PODINFO, "Normal", f"message {number}")
    await events.flush()
    assert len(server.objects) == MOST_WAITING
    assert caplog.text.count("one is dropped") == 5


async def test_a_long_name_leaves_room_for_the_suffix(server: LeaseServer, events: EventRecorder) -> None:
    long: Json = PODINFO | {"name": "a" * 235 + "." + "b" * 17}
    events.record(long, "Normal", "a")
    await events.flush()
    (name,) = server.objects
    assert len(name) <= 253
    assert ".." not in name
