"""What stands around a Canary, and when a change makes that worth a look. For O, C and the gatherer.

Objects are read as JSON and with care: of files nobody knows whether the API server would take them.
"""

from collections.abc import Iterator

from admission.lookup import Lookup
from admission.request import Operation
from admission.rules.rule import Change
from shared.names import GROUP
from shared.resources import DEPLOYMENTS
from shared.types.canary import Canary
from shared.types.meta import Json


def founded(change: Change[Canary]) -> bool:
    """Whether the change says anew what the Canary stands on: target, Services, provider or autoscaler."""
    old, new = change.old, change.new
    if new is None or change.operation is Operation.DELETE:
        return False
    if change.operation is Operation.CREATE or old is None:
        return True
    before, after = old.spec, new.spec
    return (before.target_ref, before.service, before.provider, before.autoscaler_ref) != (
        after.target_ref,
        after.service,
        after.provider,
        after.autoscaler_ref,
    )


def target_of(change: Change[Canary], lookup: Lookup) -> Json | None:
    """The Deployment that the Canary rolls out; None where it is not there."""
    canary = change.subject
    return lookup.get(DEPLOYMENTS, canary.metadata.namespace, canary.spec.target_ref.name)


def part(obj: object, *path: str) -> Json:
    """The object at the end of the path; empty where there is none."""
    for key in path:
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj if isinstance(obj, dict) else {}


def items(obj: object, *path: str) -> Iterator[Json]:
    """The objects of the list at the end of the path."""
    found = part(obj, *path[:-1]).get(path[-1])
    yield from (each for each in found if isinstance(each, dict)) if isinstance(found, list) else ()


def name_of(obj: Json) -> str:
    """The object's name."""
    return str(part(obj, "metadata").get("name", ""))


def made_by(obj: Json, canary: str) -> bool:
    """Whether a Canary of that name controls the object. The name, since a Canary that is created again finds
    what is left of the one before, until that is collected."""
    return any(
        owner.get("controller")
        and owner.get("kind") == "Canary"
        and owner.get("name") == canary
        and str(owner.get("apiVersion")).startswith(f"{GROUP}/")
        for owner in items(obj, "metadata", "ownerReferences")
    )


def is_owned(obj: Json) -> bool:
    """Whether anything controls the object."""
    return any(owner.get("controller") for owner in items(obj, "metadata", "ownerReferences"))


def containers(workload: Json) -> Iterator[Json]:
    """The containers of a workload's pods, those that start before the others included."""
    pods = part(workload, "spec", "template", "spec")
    yield from items(pods, "initContainers")
    yield from items(pods, "containers")
