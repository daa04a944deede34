"""O: the target: that it is there, that its pods can be told from others, that it can be rolled out."""

from collections.abc import Iterator

from admission.lookup import Lookup
from admission.rules.names import pod_label
from admission.rules.rule import Change
from admission.rules.surroundings import containers, founded, items, name_of, part, target_of
from admission.rules.wording import forbidden, invalid, not_found
from shared.errors import Problem
from shared.names import HOLD_ANNOTATION, primary_name
from shared.resources import DAEMONSETS, DEPLOYMENTS, STATEFULSETS
from shared.types.canary import Canary
from shared.types.meta import Json

WORKLOADS = (DEPLOYMENTS, STATEFULSETS, DAEMONSETS)
TARGET = "spec.targetRef.name"


def _found(change: Change[Canary], lookup: Lookup) -> Iterator[tuple[str, Json]]:
    """The target and its full name, if it is there and this is worth a look."""
    if founded(change) and (target := target_of(change, lookup)) is not None:
        canary = change.subject
        yield f"Deployment {canary.metadata.namespace}/{canary.spec.target_ref.name}", target


def target_exists(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """The target exists.

    The Canary waits for it. It may be applied after the Canary, so this only warns.

        spec.targetRef.name: Not found: "test/podinfo": the Canary waits until this Deployment is there
    """
    if founded(change) and lookup.complete and target_of(change, lookup) is None:
        canary = change.subject
        full_name = f"{canary.metadata.namespace}/{canary.spec.target_ref.name}"
        yield not_found(TARGET, full_name, "the Canary waits until this Deployment is there")


def pods_have_a_label(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """The target's selector has a label by which its pods can be told from the primary's.

    The primary's pods get another value of it, and the Services select by it.

        spec.targetRef.name: Invalid value: "podinfo": the selector of Deployment test/podinfo has none of
        the labels app, name, app.kubernetes.io/name, by which its pods could be told from the primary's;
        create it again with one
    """
    for full_name, target in _found(change, lookup):
        if pod_label(target, change.options) is None:
            labels = ", ".join(change.options.selector_labels)
            why = (
                f"the selector of {full_name} has none of the labels {labels}, by which its pods could be "
                "told from the primary's; create it again with one"
            )
            yield invalid(TARGET, change.subject.spec.target_ref.name, why)


def pods_are_nobody_elses(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """No other workload's pods have the label value by which the target's pods, or the primary's, are told.

    The Services select by that label alone: the others' pods would get a share of the traffic.

        spec.targetRef.name: Forbidden: pods of StatefulSet test/db have label app=podinfo too, by which the
        Services select the target's; give one of the two another value
    """
    canary = change.subject
    namespace, name = canary.metadata.namespace, canary.spec.target_ref.name
    ours = {(DEPLOYMENTS, name), (DEPLOYMENTS, primary_name(name))}
    for _, target in _found(change, lookup):
        label = pod_label(target, change.options)
        if label is None:
            continue
        key, value = label
        for resource in WORKLOADS:
            for other in lookup.list(resource, namespace):
                has = part(other, "spec", "template", "metadata", "labels").get(key)
                whose = {value: "target", primary_name(value): "primary"}.get(has) if has else None
                if whose is not None and (resource, name_of(other)) not in ours:
                    why = (
                        f"pods of {resource.kind} {namespace}/{name_of(other)} have label {key}={has} too, "
                        f"by which the Services select the {whose}'s; give one of the two another value"
                    )
                    yield forbidden(TARGET, why)


def one_label_is_enough(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """The target's selector has no label but the one by which its pods are told from others.

    The primary's selector and the Services use that one alone, so that it has to do without the others.

        spec.targetRef.name: Invalid value: "podinfo": the Services select by app=podinfo alone and not by
        component; let no other pods of the namespace have that label
    """
    for _, target in _found(change, lookup):
        label = pod_label(target, change.options)
        others = sorted(part(target, "spec", "selector", "matchLabels").keys() - {label and label[0]})
        if label and others:
            why = (
                f"the Services select by {label[0]}={label[1]} alone and not by {', '.join(others)}; "
                "let no other pods of the namespace have that label"
            )
            yield invalid(TARGET, change.subject.spec.target_ref.name, why)


def port_is_a_containers(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """A target port that is a name is the name of a container's port.

    Otherwise the Services have no endpoints.

        spec.service.targetPort: Invalid value: "web": no container of Deployment test/podinfo has a port of
        that name; its ports are http
    """
    port = change.subject.spec.service.effective_target_port
    for full_name, target in _found(change, lookup):
        names = sorted({str(each["name"]) for each in _ports(target) if each.get("name")})
        if isinstance(port, str) and port not in names:
            have = f"its ports are {', '.join(names)}" if names else "none of its ports has a name"
            why = f"no container of {full_name} has a port of that name; {have}"
            yield invalid("spec.service.targetPort", port, why)


def port_is_declared(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """A target port that is a number is one that a container declares, if they declare any.

    Mostly it is a mistake, and then nothing answers there.

        spec.service.targetPort: Invalid value: 80: no container of Deployment test/podinfo declares that
        port; they declare 9898
    """
    port = change.subject.spec.service.effective_target_port
    for full_name, target in _found(change, lookup):
        numbers = {
            each["containerPort"] for each in _ports(target) if isinstance(each.get("containerPort"), int)
        }
        if isinstance(port, int) and numbers and port not in numbers:
            declared = ", ".join(map(str, sorted(numbers)))
            why = f"no container of {full_name} declares that port; they declare {declared}"
            yield invalid("spec.service.targetPort", port, why)


def _ports(target: Json) -> Iterator[Json]:
    for container in containers(target):
        yield from items(container, "ports")


def target_can_be_rolled_out(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """The target rolls, has pods, and says when they are ready; the primary is a copy of it.

    A paused one never runs a new revision. Without a readiness probe a pod gets traffic before it can answer,
    and with strategy Recreate a promotion stops every pod of the primary before the first new one starts.

        spec.targetRef.name: Invalid value: "podinfo": Deployment test/podinfo is paused, so that no revision
        of it ever runs; resume it
    """
    name = change.subject.spec.target_ref.name
    for full_name, target in _found(change, lookup):
        spec = part(target, "spec")
        held = HOLD_ANNOTATION in part(target, "metadata", "annotations")
        if spec.get("paused") is True and not held:
            why = f"{full_name} is paused, so that no revision of it ever runs; resume it"
            yield invalid(TARGET, name, why)
        if spec.get("replicas") == 0 and change.subject.spec.autoscaler_ref is None:
            why = f"{full_name} has 0 replicas, so that the primary starts with one pod; scale it first"
            yield invalid(TARGET, name, why)
        if part(spec, "strategy").get("type") == "Recreate":
            why = (
                f"{full_name} has strategy Recreate, with which a promotion stops every pod of the primary "
                "before the first new one starts; choose RollingUpdate"
            )
            yield invalid(TARGET, name, why)
        for container in items(spec, "template", "spec", "containers"):
            if not container.get("readinessProbe") and list(items(container, "ports")):
                why = (
                    f"container {container.get('name')} of {full_name} has no readinessProbe, so that it "
                    "gets traffic before it can answer; give it one"
                )
                yield invalid(TARGET, name, why)


def deadline_is_the_canarys(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """The target's own progress deadline is no shorter than the Canary's.

    The shorter of the two rolls back.

        spec.progressDeadlineSeconds: Invalid value: 900: Deployment test/podinfo gives up after 600 seconds
        by its own progressDeadlineSeconds, and is rolled back then; raise that
    """
    deadline = change.subject.spec.progress_deadline_seconds
    for full_name, target in _found(change, lookup):
        own = part(target, "spec").get("progressDeadlineSeconds")
        if isinstance(own, int) and own < deadline:
            why = (
                f"{full_name} gives up after {own} seconds by its own progressDeadlineSeconds, and is rolled "
                "back then; raise that"
            )
            yield invalid("spec.progressDeadlineSeconds", deadline, why)
