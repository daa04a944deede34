"""What may stand in a webhook configuration, in kube-apiserver's words.

`CHECKS` is part of the table in `validation.py`; order and wording are those of the real checks.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import unquote_to_bytes, urlsplit

from sandbox.apiserver import cel
from sandbox.apiserver.admission.webhooks import REGISTRATION, VARIABLES
from sandbox.apiserver.naming import label_value, qualified
from sandbox.apiserver.resources import Json
from sandbox.apiserver.status import FieldError

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_DOMAIN_WHY = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    f"'{_DOMAIN.pattern}')"
)
_VERSION = re.compile("[a-z]([-a-z0-9]*[a-z0-9])?")
_VERSION_WHY = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
    f"validation is '{_VERSION.pattern}')"
)
_REVIEWS = "v1, v1beta1"
_FORM = "; desired format: https://host[/path]"
_LEAST_SEGMENTS = 3
_LONGEST = 30
_MOST_CONDITIONS = 64
_MAX_PORT = 65535
_CHOICES = {
    "failurePolicy": ("Fail", "Ignore"),
    "matchPolicy": ("Equivalent", "Exact"),
    "reinvocationPolicy": ("IfNeeded", "Never"),
}
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_SELECTORS = ("namespaceSelector", "objectSelector")
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_REQUEST = {
    "kind", "resource", "subResource", "requestKind", "requestResource", "requestSubResource", "name",
    "namespace", "operation", "userInfo", "dryRun", "options",
}  # fmt: skip
_REQUEST_FIELD = re.compile(r"(?<![\w.])request(\.(\w+))")
_PLAIN_PATH = re.compile(r"\s*(\w+)(?:\.\w+)*\s*")

Errors = Iterator[FieldError]


def _configuration(obj: Json) -> Errors:
    seen: set[str] = set()
    for index, webhook in enumerate(obj.get("webhooks", ())):
        path = f"webhooks[{index}]"
        yield from _webhook(webhook, path)
        yield from _review_versions(
            webhook.get("admissionReviewVersions", ()), f"{path}.admissionReviewVersions"
        )
        name = webhook.get("name", "")
        if name and name in seen:
            yield FieldError.duplicate(f"{path}.name", name)
        seen.add(name)


def _webhook(webhook: Json, path: str) -> Errors:
    yield from _name(webhook.get("name", ""), f"{path}.name")
    for index, rule in enumerate(webhook.get("rules", ())):
        yield from _rule(rule, f"{path}.rules[{index}]")
    for field, choices in _CHOICES.items():
        if field in webhook and webhook[field] not in choices:
            yield FieldError.unsupported(f"{path}.{field}", webhook[field], choices)
    effects = webhook.get("sideEffects")
    if effects is None:
        yield FieldError.required(f"{path}.sideEffects", f"must specify one of {', '.join(_SIDE_EFFECTS)}")
    elif effects not in _SIDE_EFFECTS:
        yield FieldError.unsupported(f"{path}.sideEffects", effects, _SIDE_EFFECTS)
    seconds = webhook.get("timeoutSeconds", 1)
    if not 1 <= seconds <= _LONGEST:
        why = f"the timeout value must be between 1 and {_LONGEST} seconds"
        yield FieldError.invalid(f"{path}.timeoutSeconds", seconds, why)
    for field in _SELECTORS:
        yield from _selector(webhook.get(field, {}), f"{path}.{field}")
    yield from _client(webhook.get("clientConfig", {}), f"{path}.clientConfig")
    yield from _conditions(webhook.get("matchConditions", ()), f"{path}.matchConditions")


def _name(name: str, path: str) -> Errors:
    if not name:
        yield FieldError.required(path)
    elif not _DOMAIN.fullmatch(name):
        yield FieldError.invalid(path, name, _DOMAIN_WHY)
    elif len(name.split(".")) < _LEAST_SEGMENTS:
        why = "should be a domain with at least three segments separated by dots"
        yield FieldError.invalid(path, name, why)


def _review_versions(versions: Sequence[str], path: str) -> Errors:
    if not versions:
        yield FieldError.required(path, f"must specify one of {_REVIEWS}")
        return
    for index, version in enumerate(versions):
        if version in versions[:index]:
            yield FieldError.invalid(f"{path}[{index}]", version, "duplicate version")
        elif not _VERSION.fullmatch(version):
            yield FieldError.invalid(f"{path}[{index}]", version, _VERSION_WHY)
    if not {"v1", "v1beta1"} & set(versions):
        yield FieldError.invalid(path, versions, f"must include at least one of {_REVIEWS}")


def _rule(rule: Json, path: str) -> Errors:
    listed = (("operations", "operations"), ("apiGroups", "API groups"), ("apiVersions", "API versions"))
    for field, shown in listed:
        values = rule.get(field, ())
        if not values:
            yield FieldError.required(f"{path}.{field}")
        if len(values) > 1 and "*" in values:
            why = f"if '*' is present, must not specify other {shown}"
            yield FieldError.invalid(f"{path}.{field}", values, why)
        for index, value in enumerate(values):
            if field == "operations" and value not in _OPERATIONS:
                yield FieldError.unsupported(f"{path}.{field}[{index}]", value, _OPERATIONS)
            if field == "apiVersions" and not value:
                yield FieldError.required(f"{path}.{field}[{index}]")
    yield from _resources(rule.get("resources", ()), f"{path}.resources")
    if rule.get("scope", "*") not in _SCOPES:
        yield FieldError.unsupported(f"{path}.scope", rule["scope"], _SCOPES)


def _resources(resources: Sequence[str], path: str) -> Errors:
    if not resources:
        yield FieldError.required(path)
    yield from _covered(resources, path)
    if len(resources) > 1 and "*/*" in resources:
        why = "if '*/*' is present, must not specify other resources"
        yield FieldError.invalid(path, resources, why)
    if "*" in resources and any(entry != "*" and "/" not in entry for entry in resources):
        why = "if '*' is present, must not specify other resources without subresources"
        yield FieldError.invalid(path, resources, why)


def _covered(resources: Sequence[str], path: str) -> Errors:
    """Entries that are empty, or that an earlier pattern covers."""
    whole: set[str] = set()
    parts: set[str] = set()
    for index, entry in enumerate(resources):
        name, slash, part = entry.partition("/")
        if not entry:
            yield FieldError.required(f"{path}[{index}]")
        if not slash:
            continue
        for covered, pattern in ((name in whole, f"{name}/*"), (part in parts, f"*/{part}")):
            if covered:
                why = f"if '{pattern}' is present, must not specify {entry}"
                yield FieldError.invalid(f"{path}[{index}]", entry, why)
        if part == "*":
            whole.add(name)
        if name == "*":
            parts.add(part)


def _selector(selector: Json, path: str) -> Errors:
    for key, value in selector.get("matchLabels", {}).items():
        for fault in qualified(key):
            yield FieldError.invalid(f"{path}.matchLabels", key, fault)
        for fault in label_value(value):
            yield FieldError.invalid(f"{path}.matchLabels", value, fault)
    for index, expression in enumerate(selector.get("matchExpressions", ())):
        where, operator = f"{path}.matchExpressions[{index}]", expression.get("operator", "")
        if operator in ("In", "NotIn"):
            if not expression.get("values"):
                why = "must be specified when `operator` is 'In' or 'NotIn'"
                yield FieldError.required(f"{where}.values", why)
        elif operator in ("Exists", "DoesNotExist"):
            if expression.get("values"):
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                yield FieldError.forbidden(f"{where}.values", why)
        else:
            yield FieldError.invalid(f"{where}.operator", operator, "not a valid selector operator")
        for fault in qualified(expression.get("key", "")):
            yield FieldError.invalid(f"{where}.key", expression.get("key", ""), fault)


def _client(client: Json, path: str) -> Errors:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        yield FieldError.required(path, "exactly one of url or service is required")
    elif url is not None:
        yield from _url(url, f"{path}.url")
    else:
        yield from _service(service or {}, f"{path}.service")


def _url(url: str, path: str) -> Errors:
    escape = re.search(r"%(?![0-9a-fA-F]{2}).{0,2}", url)
    if escape:
        problem = f'parse "{url}": invalid URL escape "{escape.group()}"'
        yield FieldError.required(path, f"url must be a valid URL: {problem}{_FORM}")
        return
    parts = urlsplit(url)
    if parts.scheme != "https":
        yield FieldError.invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{_FORM}")
    user, at, host = parts.netloc.rpartition("@")
    if not host:
        yield FieldError.invalid(path, host, f"host must be specified{_FORM}")
    if at:
        shown = unquote_to_bytes(user).decode(errors="replace")
        yield FieldError.invalid(path, shown, "user information is not permitted in the URL")
    if parts.fragment:
        yield FieldError.invalid(path, parts.fragment, "fragments are not permitted in the URL")
    if parts.query:
        yield FieldError.invalid(path, parts.query, "query parameters are not permitted in the URL")


def _service(service: Json, path: str) -> Errors:
    if not service.get("name"):
        yield FieldError.required(f"{path}.namespace")  # the real one mixes the two up
    if not service.get("namespace"):
        yield FieldError.required(f"{path}.name")
    port = service.get("port", 1)
    if not 1 <= port <= _MAX_PORT:
        why = f"port is not valid: must be between 1 and {_MAX_PORT}, inclusive"
        yield FieldError.invalid(f"{path}.port", port, why)
    yield from _service_path(service.get("path", "/"), f"{path}.path")


def _service_path(url_path: str, path: str) -> Errors:
    if url_path in ("", "/"):
        return
    if not url_path.startswith("/"):
        yield FieldError.invalid(path, url_path, "must start with a '/'")
    for index, step in enumerate(url_path[1:].removesuffix("/").split("/")):
        if not step:
            yield FieldError.invalid(path, url_path, f"segment[{index}] may not be empty")
        elif not _DOMAIN.fullmatch(step):
            yield FieldError.invalid(path, url_path, f"segment[{index}]: {_DOMAIN_WHY}")


def _conditions(conditions: Sequence[Json], path: str) -> Errors:
    if len(conditions) > _MOST_CONDITIONS:
        yield FieldError.too_many(path, len(conditions), _MOST_CONDITIONS)
        return
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        where, name = f"{path}[{index}]", condition.get("name", "")
        expression = condition.get("expression", "")
        if not expression.strip():
            yield FieldError.required(f"{where}.expression")
        elif problem := _expression_problem(expression):
            yield FieldError.invalid(f"{where}.expression", expression, problem)
        if not name:
            yield FieldError.required(f"{where}.name")
        for fault in qualified(name) if name else ():
            yield FieldError.invalid(f"{where}.name", name, fault)
        if name and name in seen:
            yield FieldError.duplicate(f"{where}.name", name)
        seen.add(name)


def _expression_problem(source: str) -> str:
    """Why an expression is no condition; "" where it is one, as far as can be told without types."""
    try:
        compiled = cel.compiled(source, VARIABLES)
    except cel.CompileError as error:
        return str(error)
    fields = list(_REQUEST_FIELD.finditer(cel.without_strings(source)))
    unknown = [found for found in fields if found[2] not in _REQUEST]
    if unknown:
        marks = (cel.marked(source, found.start(1), f"undefined field '{found[2]}'") for found in unknown)
        return "compilation failed: " + "\n".join(marks)
    kind = cel.type_of_constant(compiled)
    path = _PLAIN_PATH.fullmatch(source)
    if path and path[1] in VARIABLES:
        kind = "bool" if fields and fields[0][2] == "dryRun" else "string" if fields else "dyn"
    return f"must evaluate to bool but got {kind}" if kind not in ("", "bool") else ""


CHECKS: dict[tuple[str, str], Callable[[Json], Errors]] = {
    (REGISTRATION, "ValidatingWebhookConfiguration"): _configuration,
    (REGISTRATION, "MutatingWebhookConfiguration"): _configuration,
}
