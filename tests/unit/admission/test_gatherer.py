"""What the rules are given: whole or not at all, fresh where it matters, and asked for no more than once."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from admission import check
from admission.gatherer import MOST_LISTED, ClusterGatherer, Snapshot
from admission.request import Operation, Request, User
from admission.rules import KINDS
from admission.rules.rule import Change
from shared.errors import ClusterError, ClusterUnavailable, Forbidden, NotFound
from shared.resources import (
    ALERT_PROVIDERS,
    CANARIES,
    DEPLOYMENTS,
    METRIC_TEMPLATES,
    POD_DISRUPTION_BUDGETS,
    SERVICES,
    Resource,
    traefik_services,
)
from shared.types.meta import Json
from tests.unit.admission.metric_cases import metric, template
from tests.unit.admission.rule_cases import canary, deployment, edited, said, thing

JANE = User("jane", "7", ("devs",), {"scopes": ("a", "b")})


class FakeCluster:
    """An API server of some objects; `denied` are rights that nobody has, `broken` plurals that fail."""

    def __init__(self, *objects: Json) -> None:
        self.objects = list(objects)
        self.denied: set[tuple[str, str]] = set()
        self.broken: dict[str, ClusterError] = {}
        self.asked: Counter[str] = Counter()
        self.reviews: list[Json] = []
        self.groups = {"traefik.io"}
        self.answering = asyncio.Event()
        self.answering.set()

    async def _answer(self, what: str, plural: str) -> None:
        self.asked[what] += 1
        await self.answering.wait()
        if plural in self.broken:
            raise self.broken[plural]

    def _of(self, resource: Resource, namespace: str | None) -> list[Json]:
        there = (resource.api_version, resource.kind, namespace)
        return [o for o in self.objects if (o["apiVersion"], o["kind"], o["metadata"]["namespace"]) == there]

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Json:
        await self._answer(f"get {resource.plural} {name}", resource.plural)
        for obj in self._of(resource, namespace):
            if obj["metadata"]["name"] == name:
                return obj
        raise NotFound(f"{resource.plural} {name} not found")

    async def list(self, resource: Resource, namespace: str | None = None) -> tuple[Sequence[Json], str]:
        await self._answer(f"list {resource.plural}", resource.plural)
        if resource.group.startswith("traefik") and resource.group not in self.groups:
            raise NotFound("the server could not find the requested resource")
        return self._of(resource, namespace), "1"

    async def served(self, group: str) -> dict[str, str] | None:
        await self._answer(f"served {group}", "groups")
        return {"traefikservices": "v1alpha1"} if group in self.groups else None

    async def create(self, resource: Resource, body: Json) -> Json:
        wanted = body["spec"]["resourceAttributes"]
        await self._answer("review", resource.plural)
        self.reviews.append(body["spec"])
        return {"status": {"allowed": (wanted["verb"], wanted["resource"]) not in self.denied}}


class FakeCaches:
    """Caches of our three kinds."""

    resources = (CANARIES, METRIC_TEMPLATES, ALERT_PROVIDERS)

    def __init__(self, *objects: Json) -> None:
        self.objects = list(objects)

    def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        return next((o for o in self.list(resource, namespace) if o["metadata"]["name"] == name), None)

    def list(self, resource: Resource, namespace: str) -> list[Json]:
        ours = [o for o in self.objects if o["kind"] == resource.kind]
        return [o for o in ours if not namespace or o["metadata"]["namespace"] == namespace]

    def count(self, resource: Resource, namespace: str) -> int:
        return len(self.list(resource, namespace))

    def remember(self, obj: Json) -> None:
        self.objects.append(obj)


def changed(new: Json | None, old: Json | None = None, resource: Resource = CANARIES) -> Change[Any]:
    (kind,) = (kind for kind in KINDS if kind.resource == resource)
    operation = Operation.DELETE if new is None else Operation.CREATE if old is None else Operation.UPDATE
    return check.read(kind, Change(operation, None, None, new, old, JANE)).change


def request(change: Change[Any], user: User = JANE) -> Request:
    new, old = change.raw_new, change.raw_old
    at = datetime(2026, 11, 23, tzinfo=UTC)
    return Request(
        "1",
        change.operation,
        CANARIES,
        "",
        "test",
        "podinfo",
        user,
        dry_run=False,
        received=at,
        new=new,
        old=old,
    )


async def gathered(cluster: FakeCluster, caches: FakeCaches, change: Change[Any]) -> Snapshot:
    gatherer = ClusterGatherer(cluster, caches)
    return await gatherer.gather(request(change), change)


async def test_a_new_canary_is_seen_among_all_that_it_stands_on() -> None:
    service = thing("Service", "podinfo-canary", "v1")
    route = thing("TraefikService", "podinfo", "traefik.io/v1alpha1")
    cluster = FakeCluster(deployment(), deployment("podinfo-primary"), service, route)
    found = await gathered(cluster, FakeCaches(), changed(canary()))
    assert found.complete
    assert found.get(DEPLOYMENTS, "test", "podinfo") == deployment()
    assert found.get(DEPLOYMENTS, "test", "podinfo-primary") is not None
    assert found.get(SERVICES, "test", "podinfo-canary") == service
    assert found.get(SERVICES, "test", "podinfo") is None
    assert found.get(traefik_services("traefik.io"), "test", "podinfo") == route
    assert len(found.list(DEPLOYMENTS, "test")) == 2
    twice = {what for what, count in cluster.asked.items() if count > 1}
    assert twice == {"review", "list ingressroutes", "get traefikservices podinfo"}, (
        "of both of Traefik's groups"
    )


async def test_a_change_of_the_analysis_alone_asks_the_api_server_nothing() -> None:
    cluster = FakeCluster()
    change = changed(canary({"spec.analysis.stepWeight": 10}), canary())
    found = await gathered(cluster, FakeCaches(), change)
    assert cluster.asked == {}
    assert not found.complete, "nobody looked, so that nothing can be said to be missing"


async def test_what_is_cached_is_not_asked_for_and_what_is_not_may_be_newer_than_the_cache() -> None:
    cluster = FakeCluster(template())
    before, after = canary(), canary(metric())
    known = await gathered(cluster, FakeCaches(template("sum(cached)")), changed(after, before))
    assert known.get(METRIC_TEMPLATES, "test", "latency") == template("sum(cached)")
    assert cluster.asked == {}
    fresh = await gathered(cluster, FakeCaches(), changed(after, before))
    assert fresh.get(METRIC_TEMPLATES, "test", "latency") == template()
    assert cluster.asked == {"get metrictemplates latency": 1}


async def test_a_canary_that_another_replica_let_through_a_moment_ago_is_found() -> None:
    other = canary({"metadata.name": "podinfo-2"})
    found = await gathered(FakeCluster(other), FakeCaches(), changed(canary()))
    assert found.list(CANARIES, "test") == (other,)


async def test_in_a_namespace_full_of_canaries_the_cache_has_to_do() -> None:
    many = [canary({"metadata.name": f"c{number}"}) for number in range(MOST_LISTED + 1)]
    cluster = FakeCluster()
    found = await gathered(cluster, FakeCaches(*many), changed(canary()))
    assert len(found.list(CANARIES, "test")) == MOST_LISTED + 1
    assert cluster.asked["list canaries"] == 0


async def test_of_two_canaries_made_at_the_same_moment_for_one_target_one_is_refused() -> None:
    cluster, caches = FakeCluster(deployment()), FakeCaches()
    gatherer = ClusterGatherer(cluster, caches)
    (kind,) = (kind for kind in KINDS if kind.resource == CANARIES)

    async def make(name: str) -> bool:
        """As the handler does it: gather, judge, remember."""
        obj = canary({"metadata.name": name})
        reading = check.read(kind, Change(Operation.CREATE, None, None, obj, None, JANE))
        violations = check.check(reading, await gatherer.gather(request(reading.change), reading.change))
        refused = bool(said("O01", violations))
        if not refused:
            caches.remember(obj)
        return not refused

    cluster.answering.clear()
    making = [asyncio.create_task(make(f"podinfo-{number}")) for number in range(5)]
    while cluster.asked["list canaries"] < len(making):  # noqa: ASYNC110 - they have no other way to say so
        await asyncio.sleep(0)
    cluster.answering.set()  # all of them have been asking for the others before the first is let through
    assert sum(await asyncio.gather(*making)) == 1


async def test_templates_are_deleted_with_all_canaries_in_view() -> None:
    user = canary({**metric(), "metadata.namespace": "elsewhere"})
    cluster = FakeCluster()
    found = await gathered(cluster, FakeCaches(user), changed(None, template(), METRIC_TEMPLATES))
    assert found.list(CANARIES, "") == (user,)
    assert cluster.asked == {}


@pytest.mark.parametrize("plural", ["deployments", "services", "canaries", "groups", "subjectaccessreviews"])
async def test_what_cannot_be_asked_is_an_error_and_never_an_absence(plural: str) -> None:
    cluster = FakeCluster()
    cluster.broken[plural] = ClusterUnavailable("no answer within 5s")
    with pytest.raises(ClusterUnavailable, match=r"cannot be judged without .*: no answer within 5s"):
        await gathered(cluster, FakeCaches(), changed(canary()))


async def test_the_error_says_whose_right_could_not_be_asked_for() -> None:
    cluster = FakeCluster()
    cluster.broken["subjectaccessreviews"] = Forbidden("no")
    new = edited(template(), {"spec.provider.secretRef": {"name": "s"}})
    with pytest.raises(ClusterUnavailable) as failed:
        await gathered(cluster, FakeCaches(), changed(new, None, METRIC_TEMPLATES))
    assert str(failed.value) == (
        'cannot be judged without knowing whether user "jane" may get secrets "s" in namespace "test": no'
    )


async def test_what_only_warns_may_be_out_of_sight() -> None:
    cluster = FakeCluster(deployment())
    cluster.broken["poddisruptionbudgets"] = Forbidden("not for the webhook")
    found = await gathered(cluster, FakeCaches(), changed(canary()))
    assert found.list(POD_DISRUPTION_BUDGETS, "test") == ()
    assert found.get(DEPLOYMENTS, "test", "podinfo") is not None


async def test_nothing_goes_on_asking_when_the_time_is_up() -> None:
    cluster = FakeCluster()
    cluster.answering.clear()
    before = asyncio.all_tasks()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await gathered(cluster, FakeCaches(), changed(canary()))
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_the_user_is_asked_about_as_the_api_server_knows_him() -> None:
    cluster = FakeCluster()
    await gathered(cluster, FakeCaches(), changed(canary()))
    target = next(r for r in cluster.reviews if r["resourceAttributes"]["resource"] == "deployments")
    assert (target["user"], target["uid"], target["groups"]) == ("jane", "7", ["devs"])
    assert target["extra"] == {"scopes": ["a", "b"]}
    verbs = defaultdict(set)
    for review in cluster.reviews:
        attributes = review["resourceAttributes"]
        verbs[attributes["group"], attributes["resource"]].add((attributes["verb"], attributes["name"]))
    services = {("patch", f"podinfo{suffix}") for suffix in ("", "-primary", "-canary")}
    assert verbs == {
        ("apps", "deployments"): {("patch", "podinfo"), ("patch", "podinfo-primary"), ("create", "")},
        ("", "services"): services | {("create", "")},
        ("traefik.io", "traefikservices"): {("patch", "podinfo"), ("create", "")},
    }


async def test_a_right_is_remembered_and_the_lack_of_one_is_not() -> None:
    cluster = FakeCluster()
    cluster.denied = {("patch", "services")}
    gatherer = ClusterGatherer(cluster, FakeCaches())
    change = changed(canary())
    first = await gatherer.gather(request(change), change)
    assert not first.allowed("patch", SERVICES, "test", "podinfo")
    assert first.allowed("create", SERVICES, "test", "")
    asked = cluster.asked["review"]
    cluster.denied = set()
    second = await gatherer.gather(request(change), change)
    assert second.allowed("patch", SERVICES, "test", "podinfo")
    assert cluster.asked["review"] == asked + 3, "the three Services' patches"


async def test_one_users_rights_are_not_anothers() -> None:
    cluster = FakeCluster()
    gatherer = ClusterGatherer(cluster, FakeCaches())
    change = changed(canary())
    await gatherer.gather(request(change), change)
    cluster.denied = {("create", "services")}
    for other in (
        User("joe", "7", ("devs",), JANE.extra),
        User("jane", "7", (), JANE.extra),
        User("jane", "7", ("devs",)),
    ):
        found = await gatherer.gather(request(change, other), change)
        assert not found.allowed("create", SERVICES, "test", "")


async def test_a_group_of_traefik_that_is_not_served_is_nobodys_to_be_allowed() -> None:
    cluster = FakeCluster()
    cluster.groups = set()
    found = await gathered(cluster, FakeCaches(), changed(canary()))
    assert not [r for r in cluster.reviews if r["resourceAttributes"]["group"].startswith("traefik")]
    assert found.allowed("patch", traefik_services("traefik.io"), "test", "podinfo")
