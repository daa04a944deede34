"""A pod's volumes: directories below the pod's own, and paths in arguments that are pointed there.

There is no file system of its own for a local process, so a mount is a rewriting: where a container mounts a
volume at `/etc/prometheus`, `--config.file=/etc/prometheus/prometheus.yml` becomes the path of the file that
was really written. `files` and `rewrite` are pure; `write` is called by `pod` before containers start.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from sandbox.kubelet.environment import ConfigInvalid, Sources, field_value
from shared.types.meta import Json

Files = dict[str, bytes]
"""Contents by path relative to the volume."""


def files(volume: Json, sources: Sources) -> Files:
    """What a volume holds at first.

    Raises:
        ConfigInvalid: what it is made of is missing, or the sandbox has no such kind of volume.
    """
    if "emptyDir" in volume or "hostPath" in volume:
        return {}
    if "configMap" in volume:
        return _entries("configMap", volume["configMap"]["name"], volume["configMap"], sources)
    if "secret" in volume:
        return _entries("secret", volume["secret"]["secretName"], volume["secret"], sources)
    if "downwardAPI" in volume:
        return _downward(volume["downwardAPI"], sources)
    if "projected" in volume:
        found: Files = {}
        for source in volume["projected"].get("sources") or ():
            found |= _projected(source, sources)
        return found
    kinds = ", ".join(volume.keys() - {"name"})
    raise ConfigInvalid(f'volume "{volume["name"]}": the sandbox has no {kinds} volumes')


def _projected(source: Json, sources: Sources) -> Files:
    for kind in ("configMap", "secret"):
        if kind in source:
            return _entries(kind, source[kind]["name"], source[kind], sources)
    return _downward(source.get("downwardAPI") or {}, sources)


def _downward(source: Json, sources: Sources) -> Files:
    return {
        item["path"]: field_value(item["fieldRef"]["fieldPath"], sources).encode()
        for item in source.get("items") or ()
    }


def _entries(kind: str, name: str, source: Json, sources: Sources) -> Files:
    data = sources.data(kind, name)
    if data is None:
        if source.get("optional"):
            return {}
        raise ConfigInvalid(f'{kind.lower()} "{name}" not found')
    items = source.get("items")
    if items is None:
        return data
    missing = [item["key"] for item in items if item["key"] not in data]
    if missing and not source.get("optional"):
        raise ConfigInvalid(f'{kind.lower()} "{name}" has no key "{missing[0]}"')
    return {item["path"]: data[item["key"]] for item in items if item["key"] in data}


def write(directory: Path, pod: Json, sources: Sources) -> None:
    """Make the directories of all volumes, with their files. Raises ConfigInvalid."""
    for volume in pod["spec"].get("volumes") or ():
        root = directory / volume["name"]
        root.mkdir(parents=True, exist_ok=True)
        for path, content in files(volume, sources).items():
            target = root / path
            if not target.resolve().is_relative_to(root.resolve()):
                raise ConfigInvalid(f'volume "{volume["name"]}": {path} leads out of the volume')
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def mounts(container: Json, pod: Json, directory: Path) -> dict[str, str]:
    """Where the container's mount paths really are, the longest first."""
    host_paths = {
        volume["name"]: volume["hostPath"]["path"]
        for volume in pod["spec"].get("volumes") or ()
        if "hostPath" in volume
    }
    found: dict[str, str] = {}
    for mount in container.get("volumeMounts") or ():
        root = Path(host_paths.get(mount["name"], directory / mount["name"]))
        found[mount["mountPath"].rstrip("/")] = str(root / mount.get("subPath", ""))
    return dict(sorted(found.items(), key=lambda pair: len(pair[0]), reverse=True))


def rewrite(text: str, paths: Mapping[str, str]) -> str:
    """The text with mount paths replaced, where they stand as a path of their own or begin one."""
    if not paths:
        return text
    alternatives = "|".join(re.escape(path) for path in paths)
    return re.sub(rf"(?<![\w./-])({alternatives})(?=/|[^\w.-]|$)", lambda match: paths[match[1]], text)


def rewrite_all(texts: Iterable[str], paths: Mapping[str, str]) -> list[str]:
    """`rewrite` for each of several texts."""
    return [rewrite(text, paths) for text in texts]
