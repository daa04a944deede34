"""What the API server keeps does not grow with what is done to it: objects are counted, not bytes."""

import gc

from sandbox.apiserver.accounting import Accounts
from sandbox.apiserver.expiry import EVENTS, LIFETIME, Expiry
from sandbox.apiserver.requests import Call, User, parse_path
from sandbox.apiserver.resources import Catalog
from sandbox.apiserver.storage import Entry, Event, Store

HISTORY = 50
OBJECTS = 10
WRITES_KEPT = 20_000


def counted(kind: type) -> int:
    gc.collect()
    return sum(isinstance(obj, kind) for obj in gc.get_objects())


def call(path: str, *, agent: str = "test", method: str = "PUT") -> Call:
    return Call(method, parse_path(Catalog(), path), {}, User("admin"), agent)


def test_a_hundred_thousand_updates_leave_the_objects_and_the_history() -> None:
    store, accounts = Store(HISTORY), Accounts()
    configmaps, update = store.collection("/configmaps"), call("/api/v1/namespaces/n/configmaps/c")
    watcher = configmaps.subscribe()
    before = {kind: counted(kind) for kind in (Entry, Event)}
    for number in range(100_000):
        entry = configmaps.put(("n", f"c{number % OBJECTS}"), {"metadata": {}, "data": {"n": str(number)}})
        accounts.wrote(update, entry, gone=False)
        accounts.count(update)
        if number == HISTORY:
            configmaps.unsubscribe(watcher)
            del watcher
    assert counted(Event) - before[Event] <= HISTORY
    assert counted(Entry) - before[Entry] <= HISTORY + OBJECTS
    assert len(accounts.writes) == WRITES_KEPT
    assert sum(accounts.requests.values()) == 100_000


def test_a_watcher_that_does_not_read_is_given_up() -> None:
    configmaps = Store(HISTORY).collection("/configmaps")
    watcher = configmaps.subscribe()
    for _ in range(watcher.LIMIT + 1):
        configmaps.put(("n", "c"), {"metadata": {}})
    assert watcher.ended


def test_large_writes_are_remembered_for_a_shorter_time() -> None:
    accounts, store = Accounts(), Store(HISTORY)
    for number in range(100):
        large = {"metadata": {}, "data": {"a": "x" * 1024 * 1024}}
        entry = store.collection("/configmaps").put(("n", f"c{number}"), large)
        accounts.wrote(call("/api/v1/namespaces/n/configmaps/c"), entry, gone=False)
    assert 10 < len(accounts.writes) < 70


def test_clients_with_ever_new_names_are_counted_together() -> None:
    accounts = Accounts()
    for number in range(20_000):
        accounts.count(call("/api/v1/pods", agent=f"agent-{number}", method="GET"))
    assert len(accounts.requests) <= 10_001
    assert sum(accounts.requests.values()) == 20_000


def test_an_event_goes_an_hour_after_its_last_write() -> None:
    now = 0.0
    store = Store(HISTORY)
    expiry, resource = Expiry(store, lambda: now), parse_path(Catalog(), "/api/v1/events").resource

    def write(name: str) -> None:
        entry = store.collection(EVENTS).put(("n", name), {"metadata": {"name": name}})
        expiry.wrote(resource, entry, gone=False)

    write("old")
    write("counted again")
    now = LIFETIME / 2
    write("counted again")
    now = LIFETIME
    expiry.sweep()
    assert [key[1] for key in store.collection(EVENTS).entries] == ["counted again"]
    now = 1.5 * LIFETIME
    expiry.sweep()
    assert not store.collection(EVENTS).entries


def test_an_event_that_was_deleted_is_not_waited_for() -> None:
    store = Store(HISTORY)
    expiry, resource = Expiry(store, lambda: 0.0), parse_path(Catalog(), "/api/v1/events").resource
    events = store.collection(EVENTS)
    expiry.wrote(resource, events.put(("n", "e"), {"metadata": {}}), gone=False)
    expiry.wrote(resource, events.remove(("n", "e"), {"metadata": {}}), gone=True)
    assert not expiry._due
