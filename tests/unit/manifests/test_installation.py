"""The manifests that people install: what they allow, how pods are fenced in, and that their flags exist."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from admission.registration import SECRET
from admission.request import Operation
from admission.rules.rule import Change
from admission.settings import Settings as AdmissionSettings
from admission.wanted import wanted
from controller.settings import Settings as ControllerSettings
from loadtester.settings import Settings as LoadtesterSettings
from shared.names import WEBHOOKS
from shared.settings import load
from shared.types.canary import parse_canary
from tests.unit.shared.wire_objects import canary

ROOT = Path(__file__).parents[3]
ADMISSION, CONTROLLER = "manifests/admission", "manifests/controller"
PODS = (ADMISSION, CONTROLLER, "manifests/loadtester")
READ = {"get", "list", "watch"}
WRITE = READ | {"create", "patch"}
Json = dict[str, Any]


def objects(*folders: str) -> Iterator[Json]:
    for folder in folders:
        for file in sorted((ROOT / folder).glob("*.yaml")):
            for body in yaml.safe_load_all(file.read_text()):
                if body and body["kind"] != "Kustomization":
                    yield body


def deployments(*folders: str) -> list[Json]:
    return [body for body in objects(*folders) if body["kind"] == "Deployment"]


def allowed(kind: str, folder: str) -> dict[str, set[str]]:
    """Verbs by `resource.group`, or `resource.group/NAME` where only that name is allowed."""
    found: dict[str, set[str]] = {}
    for role in objects(folder):
        for rule in role["rules"] if role["kind"] == kind else ():
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    for name in rule.get("resourceNames", [""]):
                        what = f"{resource}.{group}".rstrip(".") + (f"/{name}" if name else "")
                        found.setdefault(what, set()).update(rule["verbs"])
    return found


def test_the_controller_may_do_exactly_this() -> None:
    assert allowed("ClusterRole", CONTROLLER) == {
        "canaries.flagger.app": READ,
        "metrictemplates.flagger.app": READ,
        "canaries/status.flagger.app": {"patch"},
        "canaries/finalizers.flagger.app": {"update"},
        "deployments.apps": WRITE,
        "services": WRITE,
        "horizontalpodautoscalers.autoscaling": WRITE,
        "traefikservices.traefik.io": WRITE,
        "traefikservices.traefik.containo.us": WRITE,
        "replicasets.apps": {"list"},
        "endpointslices.discovery.k8s.io": READ,
        "events": {"create", "patch"},
    }
    assert allowed("Role", CONTROLLER) == {
        "leases.coordination.k8s.io": {"create"},
        "leases.coordination.k8s.io/flagger-leader-election": {"get", "update"},
    }


def test_the_webhooks_may_do_exactly_this() -> None:
    assert allowed("ClusterRole", ADMISSION) == {
        "canaries.flagger.app": READ,
        "metrictemplates.flagger.app": READ,
        "alertproviders.flagger.app": READ,
        "subjectaccessreviews.authorization.k8s.io": {"create"},
        "deployments.apps": {"get", "list"},
        "statefulsets.apps": {"list"},
        "daemonsets.apps": {"list"},
        "services": {"get"},
        "horizontalpodautoscalers.autoscaling": {"list"},
        "traefikservices.traefik.io": {"get"},
        "traefikservices.traefik.containo.us": {"get"},
        "ingressroutes.traefik.io": {"list"},
        "ingressroutes.traefik.containo.us": {"list"},
        "resourcequotas": {"list"},
        "poddisruptionbudgets.policy": {"list"},
        "networkpolicies.networking.k8s.io": {"list"},
        f"mutatingwebhookconfigurations.admissionregistration.k8s.io/{WEBHOOKS}": READ | {"patch"},
        f"validatingwebhookconfigurations.admissionregistration.k8s.io/{WEBHOOKS}": READ | {"patch"},
    }
    assert allowed("Role", ADMISSION) == {"secrets": {"create"}, f"secrets/{SECRET}": READ | {"patch"}}


def test_the_webhooks_may_read_all_that_their_rules_ask_for() -> None:
    raw = canary()
    autoscaler = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}
    raw["spec"]["autoscalerRef"] = autoscaler
    made = parse_canary(raw)
    rights = allowed("ClusterRole", ADMISSION)
    for operation, new, old in (
        (Operation.CREATE, made, None),
        (Operation.UPDATE, made, made),
        (Operation.DELETE, None, made),
    ):
        asked = wanted(Change(operation, new, old, raw_new=None, raw_old=None))
        for verb, refs in (("get", asked.objects), ("list", asked.lists)):
            for ref in refs:
                assert verb in rights[f"{ref.resource.plural}.{ref.resource.group}".rstrip(".")], ref


@pytest.mark.parametrize("deployment", deployments(*PODS))
def test_pods_keep_to_the_restricted_pod_security_standard(deployment: Json) -> None:
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] >= 10_000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all("hostPath" not in volume for volume in pod.get("volumes", ()))
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"]
        assert not context["allowPrivilegeEscalation"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]
        assert "cpu" not in container["resources"]["limits"]
        assert {"livenessProbe", "readinessProbe"} <= container.keys()


@pytest.mark.parametrize("deployment", deployments(*PODS, "sandbox/addons"))
def test_selectors_match_their_pods_and_flags_exist(deployment: Json) -> None:
    spec = deployment["spec"]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    (container,) = spec["template"]["spec"]["containers"]
    image = container["image"].partition(":")[0]
    settings: dict[str, type] = {
        "pinfeather/admission": AdmissionSettings,
        "pinfeather/controller": ControllerSettings,
        "pinfeather/loadtester": LoadtesterSettings,
    }
    if image in settings:
        load(settings[image], container["args"], prog=image, environ={})


def test_sandbox_manifests_name_ports_that_their_services_find() -> None:
    bodies = list(objects("sandbox/addons"))
    ports = {
        (body["metadata"]["namespace"], tuple(body["spec"]["template"]["metadata"]["labels"].items())): {
            port["name"] for port in body["spec"]["template"]["spec"]["containers"][0]["ports"]
        }
        for body in bodies
        if body["kind"] == "Deployment"
    }
    services = [body for body in bodies if body["kind"] == "Service"]
    assert len(services) == 3
    for service in services:
        key = (service["metadata"]["namespace"], tuple(service["spec"]["selector"].items()))
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports[key]
