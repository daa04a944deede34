"""The webhook configurations: what fails closed and what open, who is left alone, and registration by URL."""

import base64
from pathlib import Path
from typing import Any

import cel
import pytest
import yaml

from admission.registration import MANIFEST, SERVICE, Registration, configurations, hosts
from admission.settings import Settings
from shared.errors import ConfigError
from shared.names import CANARY_LABEL, WEBHOOKS
from shared.settings import load

Json = dict[str, Any]
TOLD = load(Settings, [], prog="admission", environ={})
CONTROLLER = TOLD.controller_username
ROOT = Path(__file__).parents[3]

BODIES: list[Json] = list(yaml.safe_load_all(MANIFEST.read_text()))
BY_NAME: dict[str, Json] = {webhook["name"]: webhook for body in BODIES for webhook in body["webhooks"]}
ALL = pytest.mark.parametrize("webhook", BY_NAME.values(), ids=BY_NAME)


def called(webhook: Json, user: str, old: Json | None = None, new: Json | None = None) -> bool:
    """Whether all match conditions hold."""
    known = {"request": {"userInfo": {"username": user}}, "object": new or {}, "oldObject": old}
    return all(cel.evaluate(condition["expression"], known) for condition in webhook["matchConditions"])


def deployment(replicas: int = 1, image: str = "a", **metadata: Any) -> Json:
    return {"metadata": metadata, "spec": {"replicas": replicas, "template": {"spec": {"image": image}}}}


def test_there_are_these_webhooks_and_they_fail_closed_only_for_what_canaries_govern() -> None:
    assert {body["kind"]: body["metadata"]["name"] for body in BODIES} == {
        "MutatingWebhookConfiguration": WEBHOOKS,
        "ValidatingWebhookConfiguration": WEBHOOKS,
    }
    said = {
        name: (
            webhook["failurePolicy"],
            webhook["timeoutSeconds"],
            webhook["clientConfig"]["service"]["path"],
            webhook.get("objectSelector", {}).get("matchExpressions"),
        )
        for name, webhook in BY_NAME.items()
    }
    governed = [{"key": CANARY_LABEL, "operator": "Exists"}]
    unknown = [{"key": CANARY_LABEL, "operator": "DoesNotExist"}]
    assert said == {
        "target.pinfeather.dev": ("Fail", 2, "/mutate", governed),
        "newcomer.pinfeather.dev": ("Ignore", 1, "/mutate", unknown),
        "canaries.pinfeather.dev": ("Fail", 5, "/validate", None),
        "governed.pinfeather.dev": ("Fail", 2, "/validate", governed),
        "scale.pinfeather.dev": ("Ignore", 1, "/validate", None),
    }


def test_what_fails_closed_is_ours_or_labelled() -> None:
    for webhook in BY_NAME.values():
        groups = {group for rule in webhook["rules"] for group in rule["apiGroups"]}
        assert (
            webhook["failurePolicy"] == "Ignore" or groups == {"flagger.app"} or "objectSelector" in webhook
        )


def test_rules_name_what_they_mean() -> None:
    said = {
        name: {
            (group, version, resource, *rule["operations"])
            for rule in webhook["rules"]
            for group in rule["apiGroups"]
            for version in rule["apiVersions"]
            for resource in rule["resources"]
        }
        for name, webhook in BY_NAME.items()
    }
    ours = ("canaries", "canaries/status", "metrictemplates", "alertproviders")
    changes = ("UPDATE", "DELETE")
    assert said == {
        "target.pinfeather.dev": {("apps", "v1", "deployments", "CREATE", "UPDATE")},
        "newcomer.pinfeather.dev": {("apps", "v1", "deployments", "CREATE", "UPDATE")},
        "canaries.pinfeather.dev": {("flagger.app", "v1beta1", each, "CREATE", *changes) for each in ours},
        "governed.pinfeather.dev": {
            ("apps", "v1", "deployments", *changes),
            ("", "v1", "services", *changes),
            ("autoscaling", "v2", "horizontalpodautoscalers", *changes),
            ("traefik.io", "v1alpha1", "traefikservices", *changes),
            ("traefik.containo.us", "v1alpha1", "traefikservices", *changes),
        },
        "scale.pinfeather.dev": {("apps", "v1", "deployments/scale", "UPDATE")},
    }


@ALL
def test_no_webhook_can_lock_itself_or_the_cluster_out(webhook: Json) -> None:
    (selector,) = webhook["namespaceSelector"]["matchExpressions"]
    assert selector == {
        "key": "kubernetes.io/metadata.name",
        "operator": "NotIn",
        "values": ["kube-system", TOLD.namespace],
    }
    assert all(rule["scope"] == "Namespaced" for rule in webhook["rules"])
    assert "*" not in str(webhook["rules"])
    new, old = deployment(1, "a"), deployment(1, "b")
    for user in (
        CONTROLLER,
        "system:kube-controller-manager",
        "system:kube-scheduler",
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:serviceaccount:kube-system:namespace-controller",
    ):
        assert not called(webhook, user, old, new), user
    for user in ("kubernetes-admin", "system:serviceaccount:flux-system:flux", f"{CONTROLLER}2"):
        assert called(webhook, user, old, new), user


@ALL
def test_every_webhook_is_asked_in_the_same_way(webhook: Json) -> None:
    assert webhook["sideEffects"] == "None"
    assert webhook["matchPolicy"] == "Equivalent"
    assert webhook["admissionReviewVersions"] == ["v1"]
    assert webhook.get("reinvocationPolicy", "IfNeeded") == "IfNeeded"
    service = webhook["clientConfig"]["service"]
    assert f"{service['name']}.{service['namespace']}.svc" in hosts(TOLD.namespace)
    assert "caBundle" not in webhook["clientConfig"]


@pytest.mark.parametrize(
    ("old", "new", "asked"),
    [
        (None, deployment(), True),
        (deployment(1), deployment(2), True),
        (deployment(image="a"), deployment(image="b"), True),
        (deployment(), deployment(labels={"a": "b"}), False),
        (deployment(), deployment(), False),
    ],
)
def test_a_deployment_that_nobody_governs_is_asked_about_when_it_begins_rolls_or_scales(
    old: Json | None, new: Json, *, asked: bool
) -> None:
    assert called(BY_NAME["newcomer.pinfeather.dev"], "somebody", old, new) is asked


def test_the_service_leads_to_the_pods_where_the_webhooks_are_served() -> None:
    folder = ROOT / "manifests/admission"
    (service,) = yaml.safe_load_all((folder / "service.yaml").read_text())
    pod = next(iter(yaml.safe_load_all((folder / "deployment.yaml").read_text())))["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    told = load(Settings, container["args"], prog="admission", environ={})
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert service["metadata"]["name"] == SERVICE
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (port,) = service["spec"]["ports"]
    assert all(webhook["clientConfig"]["service"]["port"] == port["port"] for webhook in BY_NAME.values())
    assert ports[port["targetPort"]] == told.port
    assert ports["http"] == told.probe_port
    assert pod["spec"]["terminationGracePeriodSeconds"] >= 2 * told.drain.total_seconds()


def test_registration_by_url_changes_the_address_the_trust_and_who_is_left_alone() -> None:
    told = Registration("https://127.0.0.1:9443/", "mine", 'a"b')
    bodies = configurations(told, b"PEM")
    for body in bodies:
        for webhook in body["webhooks"]:
            original = BY_NAME[webhook["name"]]
            path = original["clientConfig"]["service"]["path"]
            assert webhook["clientConfig"] == {
                "url": f"https://127.0.0.1:9443{path}",
                "caBundle": base64.b64encode(b"PEM").decode(),
            }
            assert webhook["namespaceSelector"]["matchExpressions"][0]["values"] == ["kube-system", "mine"]
            assert not called(webhook, 'a"b', deployment(1), deployment(2))
            assert called(webhook, CONTROLLER, deployment(1), deployment(2))
            assert {key: webhook[key] for key in ("rules", "failurePolicy")} == {
                key: original[key] for key in ("rules", "failurePolicy")
            }
    assert configurations(told, b"PEM") == bodies


def test_without_certificates_of_ours_no_ca_bundle_is_written() -> None:
    bodies = configurations(Registration("https://hooks.example.com", "mine", "c"), b"")
    assert all("caBundle" not in webhook["clientConfig"] for body in bodies for webhook in body["webhooks"])


def test_the_certificate_is_for_the_host_of_the_url() -> None:
    assert hosts("ns", "https://127.0.0.1:9443") == ("127.0.0.1",)
    assert hosts("ns", "https://[::1]:9443") == ("::1",)
    assert hosts("ns") == ("pinfeather-admission.ns.svc", "pinfeather-admission.ns.svc.cluster.local")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9443", "127.0.0.1:9443", "https://", "https://u@h", "https://h/?q", "https://h/#f"],
)
def test_a_url_that_no_api_server_would_call_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="https://HOST:PORT"):
        hosts("ns", url)
