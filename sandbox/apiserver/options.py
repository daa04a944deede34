"""Query parameters: what they may hold, and what a request with a wrong one is told.

`handlers.py` asks before it serves a verb. Numbers and switches are read as Go reads them.
"""

from collections.abc import Iterator, Mapping

from sandbox.apiserver import status
from sandbox.apiserver.requests import Call, is_set
from sandbox.apiserver.status import ApiError, FieldError

_OPTIONS = {
    "create": "CreateOptions",
    "update": "UpdateOptions",
    "patch": "PatchOptions",
    "delete": "DeleteOptions",
    "deletecollection": "DeleteOptions",
}
_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_MATCHES = ("Exact", "NotOlderThan", "")
_POLICIES = ("Foreground", "Background", "Orphan")
_LONGEST_MANAGER = 128
_INT64 = 2**63
_APPLY = "application/apply-patch"


def number(query: Mapping[str, str], name: str) -> int | None:
    """A parameter that is an int64; None where it is not there. Raises an ApiError (400)."""
    text = query.get(name)
    return None if text is None else _parsed(text)


def _parsed(text: str) -> int:
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not (digits.isascii() and digits.isdigit()):
        raise status.bad_request(f"strconv.ParseInt: parsing {status.quoted(text)}: invalid syntax")
    if not -_INT64 <= int(text) < _INT64:
        raise status.bad_request(f"strconv.ParseInt: parsing {status.quoted(text)}: value out of range")
    return int(text)


def version(query: Mapping[str, str]) -> int:
    """The resourceVersion; 0 where it is not there. Raises ValueError with the words of the field's error."""
    text = query.get("resourceVersion") or "0"
    if not (text.isascii() and text.isdigit()):
        parse = f"strconv.ParseUint: parsing {status.quoted(text)}: invalid syntax"
        raise ValueError(f"resourceVersion: Invalid value: {status.quoted(text)}: {parse}")
    return int(text)


def check_write(call: Call) -> None:
    """Raises an ApiError (422) where an option of a write holds what it may not."""
    kind, query = _OPTIONS[call.verb], call.query
    errors: list[FieldError] = []
    dry_run = query.get("dryRun", "All")
    if dry_run != "All":
        errors.append(FieldError.unsupported("dryRun", [dry_run], ["All"]))
    if kind == "DeleteOptions":
        number(query, "gracePeriodSeconds")
        errors += check_policy(query.get("propagationPolicy", ""), orphan=is_set(query, "orphanDependents"))
    else:
        errors += _check_manager(call)
        validation = query.get("fieldValidation", "")
        if validation not in _VALIDATIONS:
            errors.append(FieldError.unsupported("fieldValidation", validation, _VALIDATIONS))
    if errors:
        raise _invalid(kind, errors)


def check_policy(policy: str, *, orphan: bool) -> Iterator[FieldError]:
    """What is wrong with how a delete says what becomes of dependents."""
    if policy and orphan:
        both = "orphanDependents and deletionPropagation cannot be both set"
        yield FieldError.invalid("propagationPolicy", policy, both)
    elif policy not in ("", *_POLICIES):
        yield FieldError.unsupported("propagationPolicy", policy, (*_POLICIES, "nil"))


def invalid_delete(errors: list[FieldError]) -> ApiError:
    return _invalid("DeleteOptions", errors)


def _check_manager(call: Call) -> Iterator[FieldError]:
    manager = call.query.get("fieldManager", "")
    if call.verb == "patch":
        applies = call.content_type.startswith(_APPLY)
        if applies and not manager:
            yield FieldError.required("fieldManager", "is required for apply patch")
        if not applies and "force" in call.query:
            yield FieldError.forbidden("force", "may not be specified for non-apply patch")
    if len(manager.encode()) > _LONGEST_MANAGER:
        yield FieldError.too_long("fieldManager", _LONGEST_MANAGER)
    for position, character in enumerate(manager):
        if not character.isprintable():
            why = f"invalid character U+{ord(character):04X} (at position {position})"
            yield FieldError.invalid("fieldManager", manager, why)
            break


def check_list(query: Mapping[str, str], *, watch: bool) -> None:
    """Of a list or a watch. Raises an ApiError: 400, 422."""
    for name in ("limit", "timeoutSeconds"):
        number(query, name)
    errors = list(_check_initial_events(query) if watch else _check_match(query))
    if errors:
        raise _invalid("ListOptions", errors)


def _check_match(query: Mapping[str, str]) -> Iterator[FieldError]:
    field, match = "resourceVersionMatch", query.get("resourceVersionMatch", "")
    asked = query.get("resourceVersion", "")
    if is_set(query, "sendInitialEvents"):
        yield FieldError.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")
    if not match:
        return
    if not asked:
        yield FieldError.forbidden(field, f"{field} is forbidden unless resourceVersion is provided")
    if query.get("continue"):
        yield FieldError.forbidden(field, f"{field} is forbidden when continue is provided")
    if match not in _MATCHES:
        yield FieldError.unsupported(field, match, _MATCHES)
    if match == "Exact" and asked == "0":
        yield FieldError.forbidden(field, f'{field} "exact" is forbidden for resourceVersion "0"')


def _check_initial_events(query: Mapping[str, str]) -> Iterator[FieldError]:
    field, match = "resourceVersionMatch", query.get("resourceVersionMatch", "")
    if "sendInitialEvents" not in query:
        if match:
            yield FieldError.forbidden(
                field, f"{field} is forbidden for watch unless sendInitialEvents is provided"
            )
        return
    if match != "NotOlderThan":
        why = f"sendInitialEvents requires setting {field} to NotOlderThan"
        yield FieldError.forbidden(field, why)
        if match:
            yield FieldError.unsupported(field, match, ["NotOlderThan"])


def _invalid(kind: str, errors: list[FieldError]) -> ApiError:
    return status.invalid_kind("meta.k8s.io", kind, errors)
