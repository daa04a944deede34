"""JSON merge patches (RFC 7386): what to send so that an object becomes, or comes to contain, another.

For everything that reconciles an object with what it should be. Apart because both are pure tree walks
that know nothing of Kubernetes.
"""

from typing import Any

from shared.types.meta import Json


def merge_diff(old: Json, new: Json) -> Json:
    """The smallest merge patch that turns `old` into exactly `new`; {} when they are equal.

    Keys that must go are null in it, so `new` itself may hold no null: a merge patch cannot say that.
    """
    patch: Json = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif old[key] != value:
            both = isinstance(old[key], dict) and isinstance(value, dict)
            patch[key] = merge_diff(old[key], value) if both else value
    return patch


def missing_from(observed: Json, desired: Json) -> Json:
    """The smallest merge patch after which `observed` contains `desired`; {} when it does already.

    What `desired` does not mention stays as it is, so others may add to the object; None asks for a key
    to be absent. Lists are compared and replaced whole.
    """
    patch: Json = {}
    for key, value in desired.items():
        there: Any = observed.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            if inner := missing_from(there, value):
                patch[key] = inner
        elif there != value:
            patch[key] = value
    return patch
