"""create, get, describe and events: what people see of objects."""

import asyncio
import itertools

import pytest

from tests.integration.kubectl.command import Kubectl
from tests.integration.kubectl.manifests import AUTOSCALER, EVENT, NODE, SERVICE, WEB


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


async def test_objects_are_created_in_protobuf(kubectl: Kubectl) -> None:
    await kubectl("create", "deployment", "web", "--image=web:1", "--replicas=3", "--port=80")
    await kubectl("create", "configmap", "c", "--from-literal=a=1")
    await kubectl("create", "secret", "generic", "s", "--from-literal=a=1")
    await kubectl("autoscale", "deployment", "web", "--min=2", "--max=4")
    await kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080")
    container = ".spec.template.spec.containers[0]"
    assert await kubectl.value("deploy/web", f"{container}.image") == "web:1"
    assert await kubectl.value("cm/c", ".data") == '{"a":"1"}'
    assert await kubectl.value("secret/s", ".data") == '{"a":"MQ=="}'
    assert await kubectl.value("svc/web", ".spec.ports[0].targetPort") == "8080"
    assert rows(await kubectl("get", "hpa", "--no-headers"))[0][4:6] == ["2", "4"]


async def test_services_of_every_type_are_given_what_they_need(kubectl: Kubectl) -> None:
    await kubectl("create", "service", "clusterip", "c", "--tcp=80:8080")
    await kubectl("create", "service", "nodeport", "n", "--tcp=80:8080")
    await kubectl("create", "service", "loadbalancer", "l", "--tcp=80:8080")
    await kubectl("create", "service", "externalname", "e", "--external-name=example.com")
    shown = {row[0]: row[1:5] for row in rows(await kubectl("get", "svc", "--no-headers"))}
    assert shown["c"][2:] == ["<none>", "80/TCP"] and shown["c"][1].count(".") == 3
    assert shown["n"][3].startswith("80:3") and shown["n"][3].endswith("/TCP")
    assert shown["l"][2] == "<pending>"
    assert shown["e"] == ["ExternalName", "<none>", "example.com", "<none>"]


async def test_a_dry_run_on_the_server_stores_nothing(kubectl: Kubectl) -> None:
    ran = await kubectl("create", "deployment", "web", "--image=web:1", "--dry-run=server", "-o", "yaml")
    assert "progressDeadlineSeconds: 600" in ran, "defaults are filled in"
    error = await kubectl.fails("get", "deployment", "web")
    assert error == 'Error from server (NotFound): deployments.apps "web" not found\n'


async def test_a_name_is_made_where_only_its_beginning_is_given(kubectl: Kubectl) -> None:
    manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {generateName: gen-}}"
    created = await kubectl("create", "-f", "-", stdin=manifest)
    assert created.startswith("configmap/gen-") and len(created.split()[0]) == len("configmap/gen-12345")


async def test_every_way_of_printing_shows_the_object(web: Kubectl) -> None:
    await web("wait", "deploy/web", "--for=jsonpath={.status.updatedReplicas}=2", "--timeout=10s")
    (row,) = rows(await web("get", "deploy", "--no-headers"))
    assert row[:4] == ["web", "2/2", "2", "2"]
    (wide,) = rows(await web("get", "deploy", "-o", "wide", "--no-headers"))
    assert wide[-3:] == ["app", "web:1", "app=web"]
    assert (await web("get", "deploy", "web", "-o", "yaml")).startswith(
        "apiVersion: apps/v1\nkind: Deployment\n"
    )
    assert '"kind": "Deployment"' in await web("get", "deploy", "web", "-o", "json")
    columns = "custom-columns=N:.metadata.name,R:.spec.replicas,X:.spec.nope"
    assert rows(await web("get", "deploy", "-o", columns)) == [["N", "R", "X"], ["web", "2", "<none>"]]
    assert "app=web" in await web("get", "deploy", "--show-labels")
    template = "{{range .items}}{{.metadata.name}}{{end}}"
    assert await web("get", "deploy", "-o", f"go-template={template}") == "web"
    assert rows(await web("get", "deploy", "web", "--subresource=scale", "--no-headers"))[0][:3] == [
        "web",
        "2",
        "2",
    ]


async def test_selectors_pick_objects_on_the_server(web: Kubectl) -> None:
    assert await web("get", "deploy", "-l", "app=web", "-o", "name") == "deployment.apps/web\n"
    assert await web("get", "deploy", "-l", "app in (web,x),!y", "-o", "name") == "deployment.apps/web\n"
    assert await web("get", "deploy", "-l", "app!=web", "-o", "name") == ""
    assert (
        len(rows(await web("get", "pods", "--field-selector", "status.phase=Running", "--no-headers"))) == 2
    )
    everywhere = (
        "get",
        "deploy",
        "-A",
        "--field-selector",
        f"metadata.namespace={web.namespace}",
        "-o",
        "name",
    )
    assert await web(*everywhere) == "deployment.apps/web\n"
    error = await web.fails("get", "pods", "--field-selector", "spec.nope=x")
    assert error.endswith('field selector "spec.nope=x": field label not supported: spec.nope\n')


async def test_a_list_comes_in_pages_and_in_the_order_asked_for(kubectl: Kubectl) -> None:
    for name, image in (("a", "2"), ("b", "1"), ("c", "3")):
        await kubectl("create", "deployment", name, f"--image=web:{image}")
    by_image = "--sort-by=.spec.template.spec.containers[0].image"
    assert await kubectl("get", "deploy", by_image, "-o", "name", "--chunk-size=1") == (
        "deployment.apps/b\ndeployment.apps/a\ndeployment.apps/c\n"
    )


async def test_a_watch_prints_changes_as_they_come(web: Kubectl) -> None:
    watching = await web.start("get", "deploy", "web", "-w", "-o", "jsonpath={.spec.replicas}{'\\n'}")
    assert watching.stdout is not None
    assert await watching.stdout.readline() == b"2\n"
    await web("scale", "deploy/web", "--replicas=5")
    seen = [await watching.stdout.readline()]
    while seen[-1] == b"2\n":  # the status of before may still come
        seen.append(await watching.stdout.readline())
    assert seen[-1] == b"5\n"
    watching.terminate()
    await watching.wait()


async def test_describe_tells_about_a_deployment_with_its_events(web: Kubectl) -> None:
    uid = await web.value("deploy/web", ".metadata.uid")
    await web("apply", "-f", "-", stdin=EVENT.replace("NAMESPACE", web.namespace).replace("UID", uid))
    told = " ".join((await web("describe", "deploy", "web")).split())
    for line in (
        "Replicas: 2 desired | 2 updated | 2 total | 2 available | 0 unavailable",
        "StrategyType: RollingUpdate",
        "RollingUpdateStrategy: 25% max unavailable, 25% max surge",
        "Readiness: http-get http://:http/ delay=0s timeout=1s period=10s successThreshold=1 "
        "failureThreshold=3",
        "(2/2 replicas created)",
    ):
        assert line in told
    assert "flagger" in told and "New revision detected" in told
    listed = await web(
        "get", "events", "--field-selector", "involvedObject.name=web,reason=Synced", "--no-headers"
    )
    assert rows(listed)[0][1:4] == ["Normal", "Synced", "deployment/web"]
    assert "x3 over" in await web("events", "--for=deployment/web")


async def test_describe_tells_about_services_autoscalers_pods_and_nodes(web: Kubectl) -> None:
    await web("apply", "-f", "-", stdin=f"{SERVICE}---{AUTOSCALER}---{NODE}")
    service = await web("describe", "svc", "web")
    assert (
        "Port:                     http  80/TCP" in service and "Selector:                 app=web" in service
    )
    assert "resource cpu on pods  (as a percentage of request):  <unknown> / 50%" in await web(
        "describe", "hpa", "web"
    )
    pod = await web("describe", "pod", "-l", "app=web")
    assert "Controlled By:" in pod and "QoS Class:" in pod and "memory:  128Mi" in pod
    assert "Roles:              worker" in await web("describe", "node", "judged-node")
    assert rows(await web("get", "nodes", "--no-headers"))[0][:3] == ["judged-node", "Unknown", "worker"]
    await web("delete", "node", "judged-node")


async def test_what_is_not_there_is_said_as_everywhere(web: Kubectl) -> None:
    assert await web.fails("get", "deploy", "nope") == (
        'Error from server (NotFound): deployments.apps "nope" not found\n'
    )
    assert await web.fails("get", "nopes") == 'error: the server doesn\'t have a resource type "nopes"\n'
    assert await web.fails("create", "-f", "-", stdin=WEB) == (
        'Error from server (AlreadyExists): error when creating "STDIN": deployments.apps "web" '
        "already exists\n"
    )
    assert await web.fails("create", "deployment", "x", "--image=x", "--namespace=nope-nope") == (
        'error: failed to create deployment: namespaces "nope-nope" not found\n'
    )
    refusal = await web.fails("delete", "namespace", "default")
    assert refusal.splitlines()[-1] == (
        'Error from server (Forbidden): namespaces "default" is forbidden: this namespace may not be deleted'
    )


_names = itertools.count()


@pytest.mark.parametrize(
    ("arguments", "columns"),
    [
        (("create", "role", "NAME", "--verb=get", "--resource=pods"), "NAME CREATED AT"),
        (("create", "rolebinding", "NAME", "--role=r", "--user=u"), "NAME ROLE AGE"),
        (("create", "poddisruptionbudget", "NAME", "--selector=a=b", "--min-available=1"),
         "NAME MIN AVAILABLE MAX UNAVAILABLE ALLOWED DISRUPTIONS AGE"),
        (("create", "ingress", "NAME", "--rule=example.com/*=a:80"), "NAME CLASS HOSTS ADDRESS PORTS AGE"),
        (("create", "serviceaccount", "NAME"), "NAME AGE"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)  # fmt: skip
async def test_each_kind_has_its_own_columns(
    kubectl: Kubectl, arguments: tuple[str, ...], columns: str
) -> None:
    name = f"n{next(_names)}"
    await kubectl(*(name if word == "NAME" else word for word in arguments))
    shown = await kubectl("get", arguments[1], name)
    assert " ".join(shown.splitlines()[0].split()) == columns


async def test_commands_of_one_person_do_not_wait_for_each_other(kubectl: Kubectl) -> None:
    made = [kubectl("create", "configmap", f"c{n}") for n in range(5)]
    await asyncio.gather(*made)
    assert (
        len(
            rows(
                await kubectl(
                    "get", "cm", "--no-headers", "--field-selector", "metadata.name!=kube-root-ca.crt"
                )
            )
        )
        == 5
    )
