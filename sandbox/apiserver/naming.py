"""What names, labels and keys may look like, and what is said of those that do not.

Used by the validation of every kind.
"""

import re
from collections.abc import Iterator

from sandbox.apiserver.resources import Json
from sandbox.apiserver.status import FieldError

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_NAME_PART = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_PATTERN, _SUBDOMAIN_PATTERN = re.compile(_LABEL), re.compile(_SUBDOMAIN)
_NAME_PART_PATTERN = re.compile(_NAME_PART)

_ENDS = "and must start and end with an alphanumeric character"
_LABEL_WHY = (
    f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {_ENDS} "
    f"(e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_SUBDOMAIN_WHY = (
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', {_ENDS} "
    f"(e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_WILDCARD = rf"\*\.{_SUBDOMAIN}"
_WILDCARD_WHY = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must "
    "consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character "
    f"(e.g. '*.example.com', regex used for validation is '{_WILDCARD}')"
)
_KEY_EXAMPLES = f"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_NAME_PART}')"
_NAME_PART_WHY = f"must consist of alphanumeric characters, '-', '_' or '.', {_ENDS} {_KEY_EXAMPLES}"
_LABEL_VALUE_WHY = (
    f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', {_ENDS} "
    f"(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '({_NAME_PART})?')"
)
_CONFIG_KEY_WHY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
    "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_MAX_NAME, _MAX_LABEL, _MAX_PORT_NAME = 253, 63, 15


def _too_long(limit: int) -> str:
    return f"must be no more than {limit} bytes"


def label(text: str) -> list[str]:
    """What keeps a text from being a DNS label."""
    long = [_too_long(_MAX_LABEL)] if len(text) > _MAX_LABEL else []
    return long + ([] if _LABEL_PATTERN.fullmatch(text) else [_LABEL_WHY])


def subdomain(text: str) -> list[str]:
    """What keeps a text from being a DNS name."""
    long = [_too_long(_MAX_NAME)] if len(text) > _MAX_NAME else []
    return long + ([] if _SUBDOMAIN_PATTERN.fullmatch(text) else [_SUBDOMAIN_WHY])


def wildcard(text: str) -> list[str]:
    """What keeps a text from standing for all names below a DNS name."""
    return [] if re.fullmatch(_WILDCARD, text) else [_WILDCARD_WHY]


def qualified(text: str) -> list[str]:
    """What keeps a text from being a key of labels or annotations."""
    *prefixes, name = text.split("/")
    if len(prefixes) > 1:
        optional = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return [f"a valid label key {_NAME_PART_WHY} {optional}"]
    wrong = []
    for prefix in prefixes:
        wrong += [f"prefix part {why}" for why in (subdomain(prefix) if prefix else ["must be non-empty"])]
    if not name:
        wrong.append("name part must be non-empty")
    elif len(name) > _MAX_LABEL:
        wrong.append(f"name part {_too_long(_MAX_LABEL)}")
    return wrong + ([] if _NAME_PART_PATTERN.fullmatch(name) else [f"name part {_NAME_PART_WHY}"])


def label_value(text: str) -> list[str]:
    long = [_too_long(_MAX_LABEL)] if len(text) > _MAX_LABEL else []
    return long + ([] if not text or _NAME_PART_PATTERN.fullmatch(text) else [_LABEL_VALUE_WHY])


def port_name(text: str) -> list[str]:
    """What keeps a text from naming a port of a container."""
    wrong = [f"must be no more than {_MAX_PORT_NAME} characters"] if len(text) > _MAX_PORT_NAME else []
    if not re.fullmatch("[-a-z0-9]+", text):
        wrong.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", text):
        wrong.append("must contain at least one letter (a-z)")
    if "--" in text:
        wrong.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        wrong.append("must not begin or end with a hyphen")
    return wrong


def config_key(text: str) -> list[str]:
    """What keeps a text from being a key of a ConfigMap or Secret."""
    return [] if re.fullmatch("[-._a-zA-Z0-9]+", text) else [_CONFIG_KEY_WHY]


def check_labels(labels: Json, field: str) -> Iterator[FieldError]:
    for key, value in sorted(labels.items()):
        yield from (FieldError.invalid(field, key, why) for why in qualified(key))
        yield from (FieldError.invalid(field, value, why) for why in label_value(value))
