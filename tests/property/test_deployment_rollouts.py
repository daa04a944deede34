"""Rollouts of a Deployment keep their bounds and end, whatever order the cluster does things in."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from sandbox.cluster_controllers.deployment import Observed, Plan, decide
from sandbox.cluster_controllers.rollout import Group, Limits, limits, rescale, roll
from tests.sandbox_objects import NOW, Json, deployment, rolling, stored, template


class Cluster:
    """Carries plans out and lets pods become available; statuses of ReplicaSets may lag behind."""

    def __init__(self, spec: Json) -> None:
        self.deployment = deployment(**spec)
        self.sets: dict[str, Json] = {}
        self.available: dict[str, int] = {}
        self.now = NOW
        self.created = 0

    def step(self) -> Plan:
        self.now += timedelta(seconds=1)
        plan = decide(Observed(self.deployment, list(self.sets.values()), 0, self.now))
        self.deployment = self.deployment | {"status": plan.status}
        for each in (plan.create,) if plan.create else ():
            self.created += 1
            self.sets[each["metadata"]["name"]] = stored(each, self.created)
        for name, patch in plan.patches.items():
            self.sets[name]["spec"] |= patch.get("spec", {})
            self.sets[name]["metadata"]["annotations"] |= patch.get("metadata", {}).get("annotations", {})
        for each in plan.delete:
            del self.sets[each["metadata"]["name"]]
        for name, each in self.sets.items():
            self.available[name] = min(self.available.get(name, 0), each["spec"]["replicas"])
        return plan

    def let_one_become_available(self, index: int) -> None:
        names = sorted(self.sets)
        name = names[index % len(names)]
        size = self.sets[name]["spec"]["replicas"]
        self.available[name] = min(self.available.get(name, 0) + 1, size)

    def report(self, index: int) -> None:
        """A ReplicaSet's controller writes its status."""
        names = sorted(self.sets)
        name = names[index % len(names)]
        count = self.available.get(name, 0)
        self.sets[name]["status"] = {
            "observedGeneration": 1,
            "replicas": self.sets[name]["spec"]["replicas"],
            "readyReplicas": count,
            "availableReplicas": count,
        }

    def settle(self) -> int:
        """Let everything happen until nothing is left to do; how many steps that took."""
        for steps in range(200):
            before = self.sizes()
            self.step()
            for index in range(len(self.sets)):
                for _ in range(10):
                    self.let_one_become_available(index)
                self.report(index)
            if self.sizes() == before and self.complete:
                return steps
        raise AssertionError(f"no end in sight: {self.sizes()}")

    def sizes(self) -> dict[str, int]:
        return {name: each["spec"]["replicas"] for name, each in self.sets.items()}

    @property
    def complete(self) -> bool:
        status, desired = self.deployment["status"], self.deployment["spec"]["replicas"]
        return all(status[name] == desired for name in ("replicas", "updatedReplicas", "availableReplicas"))


SHARES = st.one_of(st.integers(0, 4), st.integers(0, 100).map(lambda percent: f"{percent}%"))
SPECS = st.fixed_dictionaries(
    {"replicas": st.integers(0, 7), "strategy": st.builds(rolling, SHARES, SHARES)},
)
EVENTS = st.lists(
    st.tuples(st.sampled_from(["step", "available", "report", "image"]), st.integers(0, 3)), max_size=60
)


@given(SPECS, EVENTS)
def test_a_rolling_update_never_leaves_its_bounds_and_ends(spec: Json, events: list[tuple[str, int]]) -> None:
    cluster = Cluster(spec)
    cluster.settle()
    bounds = limits(cluster.deployment["spec"])
    for event, index in events:
        match event:
            case "step":
                cluster.step()
            case "available":
                cluster.let_one_become_available(index)
            case "report":
                cluster.report(index)
            case _:
                cluster.deployment["spec"]["template"] = template(f"{index}.0")
        assert sum(cluster.sizes().values()) <= bounds.most
        assert sum(cluster.available.values()) >= bounds.fewest
    cluster.settle()
    assert sum(size > 0 for size in cluster.sizes().values()) <= 1


@given(SPECS, EVENTS, st.integers(0, 7))
def test_scaling_in_the_middle_of_a_rollout_still_ends_at_the_new_size(
    spec: Json, events: list[tuple[str, int]], size: int
) -> None:
    cluster = Cluster(spec)
    cluster.settle()
    cluster.deployment["spec"]["template"] = template("2.0")
    for event, index in events:
        {"available": cluster.let_one_become_available, "report": cluster.report}.get(
            event, lambda _: cluster.step()
        )(index)
    cluster.deployment["spec"]["replicas"] = size
    cluster.settle()
    assert sum(cluster.sizes().values()) == size


@given(SPECS, EVENTS, st.integers(0, 7))
def test_a_paused_deployment_scales_but_does_not_roll(
    spec: Json, events: list[tuple[str, int]], size: int
) -> None:
    cluster = Cluster(spec)
    cluster.settle()
    old = set(cluster.sizes())
    cluster.deployment["spec"] |= {"template": template("2.0"), "paused": True, "replicas": size}
    for event, index in events:
        {"available": cluster.let_one_become_available, "report": cluster.report}.get(
            event, lambda _: cluster.step()
        )(index)
    cluster.step()
    assert set(cluster.sizes()) == old
    assert sum(cluster.sizes().values()) == size
    cluster.deployment["spec"]["paused"] = False
    cluster.settle()


@given(SPECS, EVENTS)
def test_deciding_twice_without_news_changes_nothing_more(spec: Json, events: list[tuple[str, int]]) -> None:
    cluster = Cluster(spec)
    cluster.settle()
    for event, index in events[:10]:
        if event == "image":
            cluster.deployment["spec"]["template"] = template(f"{index}.0")
        cluster.step()
    for _ in range(20):
        cluster.step()
    plan = cluster.step()
    assert (plan.create, plan.patches, tuple(plan.delete)) == (None, {}, ())


GROUPS = st.builds(
    lambda size, available, created: (size, min(size, available), created),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 9),
)
BOUNDS = st.builds(Limits, st.integers(1, 9), st.integers(0, 3), st.integers(0, 3)).filter(
    lambda bounds: bounds.unavailable <= bounds.desired
)


@given(BOUNDS, GROUPS, st.lists(GROUPS, max_size=4))
def test_one_step_from_anywhere_takes_no_more_than_may_be_missed(
    bounds: Limits, new: tuple[int, int, int], old: list[tuple[int, int, int]]
) -> None:
    mine = Group("new", new[0], new[1], "9")
    others = [Group(f"old{i}", size, available, str(made)) for i, (size, available, made) in enumerate(old)]
    groups = {each.name: each for each in (mine, *others)}
    sizes = roll(bounds, mine, others)
    before = sum(each.size for each in groups.values())
    after = sum(sizes.get(name, each.size) for name, each in groups.items())
    assert after <= max(before, bounds.most)
    shrunk = [name for name in sizes if sizes[name] < groups[name].size and name != "new"]
    available = sum(min(each.available, sizes.get(each.name, each.size)) for each in groups.values())
    assert not shrunk or available >= min(bounds.fewest, sum(each.available for each in groups.values()))


@given(BOUNDS, st.lists(GROUPS, min_size=1, max_size=4), st.integers(0, 9))
def test_a_new_size_is_spread_without_a_rest(
    bounds: Limits, sets: list[tuple[int, int, int]], before: int
) -> None:
    groups = [Group(str(i), size, available, str(i), before) for i, (size, available, _) in enumerate(sets)]
    sizes = rescale(bounds, groups, "0")
    total = sum(sizes.get(each.name, each.size) for each in groups)
    active = [each for each in groups if each.size]
    assert total == (bounds.most if len(active) > 1 else bounds.desired)
    assert all(size >= 0 for size in sizes.values())
