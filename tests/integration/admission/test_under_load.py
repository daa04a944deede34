"""Writes of a governed target without a pause, while the webhooks' replicas leave and certificates change.

Each needs two answers (failurePolicy Fail): one that is missing is a write that fails.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from certs.bundle import Bundle, certificates_in
from certs.renew import renewed
from sandbox.apiserver import ApiServer, Config
from shared.names import CANARY_LABEL
from shared.resources import DEPLOYMENTS
from tests.integration.admission.load import HOST, Load, loaded
from tests.integration.certs.conftest import leaf_signed_by
from tests.integration.controller import objects
from tests.integration.real_api_server import RealApiServer
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=["sandbox", "real"])
async def load(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Load]:
    server = None
    if request.param == "real":
        real: RealApiServer = request.getfixturevalue("real_api_server")
        kubeconfig = real.kubeconfig
    else:
        server = ApiServer(Config(state=tmp_path / "apiserver"))
        await server.start()
        kubeconfig = tmp_path / "apiserver/kubeconfig"
    async with loaded(kubeconfig) as made:
        yield made
    if server is not None:
        await server.stop()


async def test_no_write_fails_while_replicas_leave_and_others_come(load: Load) -> None:
    leaving = await load.replica(drain=1.0)
    await load.replica()
    async with load.writing():
        await load.more(100)
        for _ in range(2):
            replica, _, port = load.replicas[0]
            leaving.set()
            await eventually(lambda: replica.problem() == "about to end")  # noqa: B023 - waited for here
            # As endpoints are taken out of a Service: a while after the pod is told to end.
            await load.more(30)
            load.balancer.backends.remove(port)
            await load.more(100)
            load.replicas.pop(0)
            leaving = await load.replica(drain=1.0)
            load.replicas.insert(0, load.replicas.pop())
        await load.more(100)
    assert load.failures == []
    assert load.balancer.accepted > 2


@pytest.mark.parametrize("age", [30, 61], ids=["leaf", "authority and leaf"])
async def test_no_write_fails_while_certificates_are_renewed(load: Load, age: int) -> None:
    old = renewed(Bundle(), [HOST], load.time - timedelta(days=age), lambda _: False).bundle
    old = renewed(old, [HOST], load.time - timedelta(days=6), lambda _: True).bundle
    await load.prepared(old)
    for _ in range(2):
        await load.replica()
    async with load.writing():
        for _ in range(8):  # more than it takes until a new authority has been published for long enough
            await load.later(minutes=1)
            await load.more(20)
        new = await load.certificates()
        served = [replica.certificate for replica, _, _ in load.replicas]
        await eventually(lambda: {each.served for each in served} == {new.leaf.certificate})
        await load.more(100)
    assert len(certificates_in(new.authorities)) == (1 if age == 30 else 2)
    assert new.leaf.certificate != old.leaf.certificate
    assert leaf_signed_by(new.authorities, new.leaf.certificate) == 0
    # And those who have to connect anew, to the new leaf, can.
    load.balancer.cut()
    before = load.balancer.accepted
    async with load.writing():
        await load.more(100)
    assert load.balancer.accepted > before
    assert load.failures == []


ANOTHER = {
    "metadata": {"annotations": {"note": "n"}},
    "spec": {"template": {"metadata": {"labels": {"v": "2"}}}},
}


@pytest.mark.parametrize(
    "user",
    [
        "system:serviceaccount:kube-system:deployment-controller",
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:kube-controller-manager",
        "system:serviceaccount:pinfeather-system:pinfeather-controller",
    ],
)
async def test_with_no_replica_left_kubernetes_and_the_controller_go_on(load: Load, user: str) -> None:
    await load.replica()
    load.cut_off()
    assert await load.write(ANOTHER, user=user) == (200, "")
    assert await load.write(None, user=user) == (200, "")


async def test_with_no_replica_left_only_what_canaries_govern_stays_as_it_is(load: Load) -> None:
    await load.replica()
    load.cut_off()
    for body in (ANOTHER, {"metadata": {"labels": {CANARY_LABEL: None}}}, None):
        code, said = await load.write(body)
        assert code == 500 and 'failed calling webhook "' in said and '.pinfeather.dev"' in said
    code, said = await load.write({"metadata": {"annotations": {"note": "n"}}}, resource="canaries")
    assert code == 500 and 'failed calling webhook "canaries.pinfeather.dev"' in said
    # A Scale only gets a warning, for which nobody has to wait.
    assert await load.write({"spec": {"replicas": 3}}, subresource="/scale") == (200, "")
    for namespace, labels in (
        (load.namespace, {}),
        (load.own, {CANARY_LABEL: "x"}),
        ("kube-system", {CANARY_LABEL: "x"}),
    ):
        other = objects.deployment(namespace, name="other")
        other["metadata"]["labels"] = labels
        await load.admin.create(DEPLOYMENTS, other)
        await load.admin.patch(DEPLOYMENTS, "other", namespace, ANOTHER)
        await load.admin.patch(
            DEPLOYMENTS, "other", namespace, {"spec": {"replicas": 2}}, subresource="scale"
        )
        await load.admin.delete(DEPLOYMENTS, "other", namespace)
