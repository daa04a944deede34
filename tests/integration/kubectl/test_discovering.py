"""explain, api-resources, api-versions, version, cluster-info and can-i: what a cluster says of itself."""

from tests.integration.kubectl.command import Kubectl

SERVED = """
bindings configmaps endpoints events namespaces nodes pods secrets serviceaccounts services
deployments.apps replicasets.apps horizontalpodautoscalers.autoscaling leases.coordination.k8s.io
endpointslices.discovery.k8s.io roles.rbac.authorization.k8s.io customresourcedefinitions.apiextensions.k8s.io
mutatingwebhookconfigurations.admissionregistration.k8s.io ingresses.networking.k8s.io
"""


async def test_explain_tells_what_fields_are_for(kubectl: Kubectl) -> None:
    told = await kubectl("explain", "deployment.spec.replicas")
    assert told.startswith(
        "GROUP:      apps\nKIND:       Deployment\nVERSION:    v1\n\nFIELD: replicas <integer>\n"
    )
    assert "Number of desired pods." in told
    told = await kubectl("explain", "deployment.spec.template.spec.containers.livenessProbe")
    assert "FIELD: livenessProbe <Probe>" in told and "  httpGet\t<HTTPGetAction>" in told
    tree = await kubectl("explain", "deployment", "--recursive")
    for line in (
        "  metadata\t<ObjectMeta>",
        "      maxSurge\t<IntOrString>",
        "    image\t<string>",
        "limits\t<map[string]Quantity>",
    ):
        assert line in tree
    told = await kubectl("explain", "hpa.spec", "--api-version=autoscaling/v1")
    assert "targetCPUUtilizationPercentage\t<integer>" in told
    assert await kubectl.fails("explain", "deployment.nope") == 'error: field "nope" does not exist\n'
    assert "the server doesn't have a resource type" in await kubectl.fails("explain", "nope")


async def test_what_is_served_is_listed(kubectl: Kubectl) -> None:
    names = set((await kubectl("api-resources", "-o", "name")).split())
    assert set(SERVED.split()) - {"bindings"} <= names
    shown = await kubectl("api-resources", "--api-group=autoscaling", "--no-headers")
    assert shown.split() == [
        "horizontalpodautoscalers",
        "hpa",
        "autoscaling/v2",
        "true",
        "HorizontalPodAutoscaler",
    ]
    wide = await kubectl("api-resources", "--api-group=apps", "-o", "wide", "--no-headers")
    (row,) = [line.split() for line in wide.splitlines() if line.startswith("deployments")]
    assert row == [
        "deployments", "deploy", "apps/v1", "true", "Deployment",
        "create,delete,deletecollection,get,list,patch,update,watch", "all",
    ]  # fmt: skip
    versions = set((await kubectl("api-versions")).split())
    assert {"v1", "apps/v1", "autoscaling/v1", "autoscaling/v2", "events.k8s.io/v1"} <= versions


async def test_version_and_address_are_told(kubectl: Kubectl) -> None:
    ran = await kubectl.run("version", "-o", "json")
    assert ran.code == 0 and '"serverVersion"' in ran.out
    assert "Kubernetes control plane is running at https://127.0.0.1" in await kubectl("cluster-info")
    assert await kubectl("get", "--raw", "/readyz") == "ok"
    assert "the server could not find the requested resource" in await kubectl.fails("get", "--raw", "/nope")


async def test_an_admin_may_do_everything(kubectl: Kubectl) -> None:
    ran = await kubectl.run("auth", "can-i", "create", "deployments.apps", "--subresource=scale")
    assert (ran.code, ran.out) == (0, "yes\n")
    assert "admin" in await kubectl("auth", "whoami")
