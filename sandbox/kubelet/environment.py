"""A container's environment: values, the downward API, ConfigMaps, Secrets, and `$(VAR)` in them. Pure.

Called by `container` before each start. Source of the expansion's rules:
https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.types.meta import Json

_REFERENCE = re.compile(r"\$(?:\$|\(([-._A-Za-z][-._A-Za-z0-9]*)\))")
_MAP_FIELD = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class ConfigInvalid(Exception):
    """The container cannot be configured as its pod asks; kubectl shows the message."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a pod's configuration is taken from. The maps hold the objects that exist, by name."""

    pod: Json
    ip: str
    config_maps: Mapping[str, Json] = field(default_factory=dict)
    secrets: Mapping[str, Json] = field(default_factory=dict)

    def data(self, kind: str, name: str) -> dict[str, bytes] | None:
        """The entries of a ConfigMap or Secret, None if there is none of that name."""
        if kind == "configMap":
            found = self.config_maps.get(name)
            if found is None:
                return None
            text = {key: value.encode() for key, value in (found.get("data") or {}).items()}
            return text | _decoded(found.get("binaryData"))
        found = self.secrets.get(name)
        return None if found is None else _decoded(found.get("data"))


def _decoded(data: dict[str, str] | None) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in (data or {}).items()}


def expand(text: str, variables: Mapping[str, str]) -> str:
    """The text with `$(NAME)` replaced by the variable; unknown ones stay, `$$` is one `$`."""

    def replacement(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else variables.get(name, match[0])

    return _REFERENCE.sub(replacement, text)


def variables(container: Json, sources: Sources, given: Mapping[str, str]) -> dict[str, str]:
    """All variables of a container: those given to every one, then its own, which may refer to earlier ones.

    Raises:
        ConfigInvalid: a ConfigMap, Secret or key that is not optional is missing, or a field is unknown.
    """
    found = dict(given)
    for source in container.get("envFrom") or ():
        found |= _all_of(source, sources)
    for variable in container.get("env") or ():
        if "valueFrom" in variable:
            value = _value_from(variable["valueFrom"], sources)
            if value is not None:
                found[variable["name"]] = value
        else:
            found[variable["name"]] = expand(variable.get("value", ""), found)
    return found


def _all_of(source: Json, sources: Sources) -> dict[str, str]:
    kind = "configMap" if "configMapRef" in source else "secret"
    reference = source[f"{kind}Ref"]
    data = sources.data(kind, reference["name"])
    if data is None:
        if reference.get("optional"):
            return {}
        raise ConfigInvalid(f'{kind.lower()} "{reference["name"]}" not found')
    return {source.get("prefix", "") + key: value.decode() for key, value in data.items()}


def _value_from(source: Json, sources: Sources) -> str | None:
    if "fieldRef" in source:
        return field_value(source["fieldRef"]["fieldPath"], sources)
    for kind in ("configMap", "secret"):
        reference = source.get(f"{kind}KeyRef")
        if reference is None:
            continue
        data = sources.data(kind, reference["name"])
        if data is not None and reference["key"] in data:
            return data[reference["key"]].decode()
        if reference.get("optional"):
            return None
        missing = "not found" if data is None else f'has no key "{reference["key"]}"'
        raise ConfigInvalid(f'{kind.lower()} "{reference["name"]}" {missing}')
    raise ConfigInvalid(f"valueFrom {', '.join(source)}: the sandbox has no such source")


def field_value(path: str, sources: Sources) -> str:
    """A field of the downward API. Raises ConfigInvalid for one that it does not have."""
    metadata, spec = sources.pod["metadata"], sources.pod["spec"]
    in_map = _MAP_FIELD.fullmatch(path)
    if in_map:
        return str((metadata.get(in_map[1]) or {}).get(in_map[2], ""))
    match path:
        case "metadata.name" | "metadata.namespace" | "metadata.uid":
            return str(metadata[path.removeprefix("metadata.")])
        case "metadata.labels" | "metadata.annotations":
            pairs = (metadata.get(path.removeprefix("metadata.")) or {}).items()
            return "\n".join(f'{key}="{value}"' for key, value in sorted(pairs))
        case "spec.nodeName" | "spec.serviceAccountName":
            return str(spec.get(path.removeprefix("spec."), ""))
        case "status.podIP" | "status.podIPs":
            return sources.ip
        case "status.hostIP" | "status.hostIPs":
            return "127.0.0.1"
    raise ConfigInvalid(f"fieldRef {path}: there is no such field")
