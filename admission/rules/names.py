"""V: names and labels that have to be free, valid and long enough apart for what is generated from them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from admission.lookup import Lookup
from admission.rules.rule import Change, Options
from admission.rules.wording import forbidden, invalid
from shared.errors import Problem
from shared.names import ANNOTATION_PREFIX, GITOPS_IGNORE, canary_name, primary_name
from shared.resources import DEPLOYMENTS
from shared.types.canary import Canary
from shared.types.meta import Json
from shared.types.problems import problems_of
from shared.types.scalars import ServiceName

_LONGEST_LABEL = 63
_LONGEST_NAME = 253 - len(primary_name(""))
_SERVICE_NAME = TypeAdapter[str](ServiceName)
_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII
)
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", re.ASCII)
_SUFFIXES = (primary_name(""), canary_name(""))


def pod_label(target: Json, options: Options) -> tuple[str, str] | None:
    """The label (key, value) that tells a Deployment's pods apart; None where its selector has none."""
    selector = (target.get("spec") or {}).get("selector") or {}
    labels = selector.get("matchLabels") or {}
    return next(((key, labels[key]) for key in options.selector_labels if key in labels), None)


def generated_names_are_valid(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """What is generated has valid names.

    Services are named as the apex with `-primary` and `-canary`, the primary's pods carry the target's label
    value with `-primary`, and governed objects carry the Canary's name as a label: what is longer than 63
    characters the API server would refuse again and again.

        spec.targetRef.name: Invalid value: "podinfo.v2": must be lower case letters, digits and '-', and
        start with a letter; or set spec.service.name, by which Services are named then
    """
    canary = change.subject
    if len(canary.metadata.name) > _LONGEST_LABEL:
        why = f"must be at most {_LONGEST_LABEL} characters, as it is a label of what is generated"
        yield invalid("metadata.name", canary.metadata.name, why)
    if canary.spec.service.name is None:
        yield from _as_service_name(canary.spec.target_ref.name)
    for field, ref in (("targetRef", canary.spec.target_ref), ("autoscalerRef", canary.spec.autoscaler_ref)):
        if ref is not None and len(ref.name) > _LONGEST_NAME:
            why = f"must be at most {_LONGEST_NAME} characters, to leave room for -primary"
            yield invalid(f"spec.{field}.name", ref.name, why)
    label = _target_label(change, lookup)
    if label and len(primary_name(label[1])) > _LONGEST_LABEL:
        key, value = label
        why = (
            f"label {key}={value} of its selector is too long: the primary's pods get {primary_name('')} "
            f"appended, and {_LONGEST_LABEL} characters is the limit; use a shorter label"
        )
        yield invalid("spec.targetRef.name", canary.spec.target_ref.name, why)


def _as_service_name(name: str) -> Iterator[Problem]:
    try:
        _SERVICE_NAME.validate_python(name)
    except ValidationError as error:
        way = "; or set spec.service.name, by which Services are named then"
        for problem in problems_of(error):
            yield replace(problem, field="spec.targetRef.name", message=problem.message + way)


def names_are_nobodys_copy(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Target and apex are not named as what is generated.

    Names that end in `-primary` or `-canary` are those of another Canary's objects, now or later.

        spec.targetRef.name: Invalid value: "podinfo-primary": -primary is for what is generated; name the
        workload itself
    """
    spec = change.subject.spec
    names = {"spec.targetRef.name": (spec.target_ref.name, "name the workload itself")}
    if spec.service.name is not None:
        names["spec.service.name"] = (spec.service.name, "choose another name")
    for field, (name, way) in names.items():
        for suffix in _SUFFIXES:
            if name.endswith(suffix):
                yield invalid(field, name, f"{suffix} is for what is generated; {way}")


def target_has_its_api_version(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """A Deployment is of `apps/v1`.

    It is read as such, whatever the reference says.

        spec.targetRef.apiVersion: Invalid value: "extensions/v1beta1": a Deployment is read as apps/v1;
        write that
    """
    ref = change.subject.spec.target_ref
    if ref.kind == DEPLOYMENTS.kind and ref.api_version != DEPLOYMENTS.api_version:
        why = f"a {ref.kind} is read as {DEPLOYMENTS.api_version}; write that"
        yield invalid("spec.targetRef.apiVersion", ref.api_version, why)


def service_metadata_is_valid(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """Labels and annotations for the Services are valid, and none that the controller writes itself.

    The API server would refuse the Services, and what the controller writes wins over what the Canary says.

        spec.service.apex.labels[app]: Forbidden: is the label that tells the target's pods apart, and is set
        by the controller; remove it
    """
    service = change.subject.spec.service
    label = _target_label(change, lookup)
    for part in ("apex", "primary", "canary"):
        extra = getattr(service, part)
        if extra is None:
            continue
        path = f"spec.service.{part}"
        yield from _valid_keys(f"{path}.labels", extra.labels)
        yield from _valid_keys(f"{path}.annotations", extra.annotations)
        for key, value in extra.labels.items():
            if not _VALUE.fullmatch(value):
                why = "must be at most 63 letters, digits, '-', '_' or '.', a letter or digit at both ends"
                yield invalid(f"{path}.labels[{key}]", value, why)
            if label and key == label[0]:
                why = (
                    "is the label that tells the target's pods apart, and is set by the controller; remove it"
                )
                yield forbidden(f"{path}.labels[{key}]", why)


def _valid_keys(path: str, pairs: Mapping[str, str]) -> Iterator[Problem]:
    for key in pairs:
        if not _KEY.fullmatch(key):
            why = (
                "must be at most 63 letters, digits, '-', '_' or '.', after a prefix and '/' if there is one"
            )
            yield invalid(path, key, why)
        elif key.startswith(ANNOTATION_PREFIX) or key in GITOPS_IGNORE:
            yield forbidden(f"{path}[{key}]", "is set by the controller; remove it")


def _target_label(change: Change[Canary], lookup: Lookup) -> tuple[str, str] | None:
    canary = change.subject
    target = lookup.get(DEPLOYMENTS, canary.metadata.namespace, canary.spec.target_ref.name)
    return None if target is None else pod_label(target, change.options)
