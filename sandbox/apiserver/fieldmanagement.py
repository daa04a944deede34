"""Who owns which field: `metadata.managedFields`, and server-side apply on top of it.

    update: compare old and new -> what changed is the writer's, nobody else's
    apply:  merge into live -> drop what the applier no longer names -> conflicts? -> it owns what it names

Called by `operations.py` on every write, after defaulting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.apiserver import fieldsets
from sandbox.apiserver.fieldsets import SELF, FieldSet
from sandbox.apiserver.resources import Json
from sandbox.apiserver.status import ApiError, status_object

# Fields that the server itself keeps and nobody owns.
_UNOWNED = {"f:apiVersion", "f:kind"}
_UNOWNED_METADATA = {
    f"f:{name}"
    for name in (
        "name", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "managedFields",
        "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds",
    )
}  # fmt: skip

_KUBECTL, _LAST_APPLIED = "kubectl", "kubectl.kubernetes.io/last-applied-configuration"
_PARTS = {"manager", "operation", "apiVersion", "fieldsV1"}


@dataclass(frozen=True, slots=True)
class Author:
    """Whoever writes, as managedFields names them. `operation` is Update or Apply; `time` is RFC 3339."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    time: str

    def wrote(self, entry: Json) -> bool:
        theirs = (entry["manager"], entry["operation"], entry["apiVersion"], entry.get("subresource", ""))
        return theirs == (self.manager, self.operation, self.api_version, self.subresource)

    def entry(self, fields: FieldSet, previous: Json | None) -> Json:
        """The author's entry; its time stays where what is owned does."""
        kept = previous is not None and previous["fieldsV1"] == fields
        entry = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": previous.get("time") if previous and kept else self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        }
        if self.subresource == "scale":
            del entry["time"]  # as a real server has it: this entry is translated from that of the Scale
        return {**entry, "subresource": self.subresource} if self.subresource else entry


def _strip(fields: FieldSet) -> FieldSet:
    left = {name: node for name, node in fields.items() if name not in _UNOWNED}
    if "f:metadata" in left:
        metadata = left.pop("f:metadata")
        owned = {name: node for name, node in metadata.items() if name not in _UNOWNED_METADATA}
        if owned:
            left["f:metadata"] = owned
    return left


def given(metadata: Json, before: list[Json]) -> list[Json]:
    """Takes the owners that a client wrote itself out of a draft: it may give fields to others.

    Without any, or with some that mean nothing, those `before` stay. One empty entry takes all away.
    """
    entries = metadata.pop("managedFields", None)
    if entries == [{}]:
        return []
    whole = bool(entries) and all(_PARTS <= entry.keys() for entry in entries)
    return list(entries) if whole else before


def track_update(old: Json, new: Json, schema: Json, author: Author, entries: list[Json]) -> list[Json]:
    """The managedFields of `new`, written over `old` (for a create: the kind's empty object), where `entries`
    owned it before.
    """
    changes = fieldsets.compare(old, new, schema)
    taken = _strip(fieldsets.union(changes.added, changes.modified))
    gone = _strip(changes.removed)
    mine = next((entry for entry in entries if author.wrote(entry)), None)
    others = [entry for entry in entries if entry is not mine]
    own = fieldsets.union(mine["fieldsV1"], taken) if mine else taken
    own = fieldsets.difference(own, gone)
    return _ordered(_reduced(_reduced(others, taken), gone), author.entry(own, mine) if own else None)


def restore_if_broken(obj: Json, before: list[Json] | None, warnings: list[str]) -> None:
    """Puts managedFields back that a webhook left in a state in which they mean nothing."""
    entries = obj["metadata"].get("managedFields") or []
    if all(entry.get("operation") in ("Apply", "Update") for entry in entries):
        return
    obj["metadata"]["managedFields"] = before
    warnings.append(
        ".metadata.managedFields was in an invalid state after admission; this could be caused by an "
        "outdated mutating admission controller; please fix your requests: "
        "operation must be `Apply` or `Update`"
    )


@dataclass(frozen=True, slots=True)
class Applied:
    """The outcome of an apply: the merged object and its managedFields."""

    obj: Json
    managed_fields: list[Json]


def apply(live: Json, config: Json, schema: Json, author: Author, *, force: bool) -> Applied:
    """Server-side apply of `config` to `live`. Raises an ApiError (409) on conflicts unless `force`."""
    entries = live["metadata"].get("managedFields", [])
    mine = next((entry for entry in entries if author.wrote(entry)), None)
    others = [entry for entry in entries if entry is not mine]
    wanted = _strip(fieldsets.owned(config, schema))
    dropped = fieldsets.with_parents(mine["fieldsV1"]) if mine else {}
    for fields in (wanted, *(entry["fieldsV1"] for entry in others)):
        dropped = fieldsets.difference(dropped, fieldsets.with_parents(fields))
    merged = _merge(live, config, schema)
    merged = _without_fields(merged, dropped, schema)
    changes = fieldsets.compare(live, merged, schema)
    taken = _strip(fieldsets.union(changes.added, changes.modified))
    conflicts = [(e, c) for e in others if (c := fieldsets.intersection(e["fieldsV1"], taken))]
    if conflicts and author.manager == _KUBECTL:
        upgraded = _as_applied_before(live, schema)
        conflicts = [(e, left) for e, c in conflicts if (left := fieldsets.difference(c, upgraded))]
    if conflicts and not force:
        raise _conflict_error(conflicts)
    others = _reduced(_reduced(others, taken), _strip(changes.removed))
    if author.manager == _KUBECTL and _LAST_APPLIED in live["metadata"].get("annotations", {}):
        merged = _with_last_applied(merged, config)
    return Applied(merged, _ordered(others, author.entry(wanted, mine)))


def _with_last_applied(obj: Json, config: Json) -> Json:
    """`obj` with the annotation that `kubectl apply` without --server-side goes by brought up to date."""
    text = orjson.dumps(config, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE).decode()
    metadata = obj["metadata"]
    annotations = {**metadata.get("annotations", {}), _LAST_APPLIED: text}
    return {**obj, "metadata": {**metadata, "annotations": annotations}}


def _as_applied_before(live: Json, schema: Json) -> FieldSet:
    """What is as `kubectl apply` without --server-side left it: going over to server-side apply takes it."""
    annotation = live["metadata"].get("annotations", {}).get(_LAST_APPLIED)
    try:
        applied = orjson.loads(annotation or "{}")
    except orjson.JSONDecodeError:
        return {}
    applied.setdefault("metadata", {})
    changed = fieldsets.compare(applied, live, schema)
    same = fieldsets.difference(fieldsets.owned(applied, schema), changed.modified)
    return fieldsets.difference(same, changed.removed)


def _reduced(entries: Sequence[Json], fields: FieldSet) -> list[Json]:
    """The entries without `fields`; those left with nothing disappear."""
    if not fields:
        return list(entries)
    reduced = [(entry, fieldsets.difference(entry["fieldsV1"], fields)) for entry in entries]
    return [
        entry if left == entry["fieldsV1"] else {**entry, "fieldsV1": left} for entry, left in reduced if left
    ]


def _rank(entry: Json) -> tuple[str, str, str, str]:
    return entry["operation"], entry.get("time", ""), entry["manager"], entry.get("subresource", "")


def _ordered(entries: list[Json], own: Json | None) -> list[Json]:
    everyone = [*entries, own] if own else entries
    return sorted(everyone, key=_rank)


def _merge(live: Any, config: Any, schema: Json) -> Any:
    """`config` laid over `live`: objects and keyed lists item by item, all else replaced."""
    if (
        isinstance(config, dict)
        and isinstance(live, dict)
        and schema.get("x-kubernetes-map-type") != "atomic"
    ):
        merged = dict(live)
        parts = fieldsets.children(config, schema)
        for name, (value, inner) in parts.items():
            field = name[2:]
            merged[field] = _merge(live[field], value, inner) if field in live else value
        return merged
    if (
        isinstance(config, list)
        and isinstance(live, list)
        and schema.get("x-kubernetes-list-type") in ("map", "set")
    ):
        present, named = fieldsets.children(live, schema), fieldsets.children(config, schema)
        kept = {
            name: _merge(item, named[name][0], inner) if name in named else item
            for name, (item, inner) in present.items()
        }
        return [*kept.values(), *(item for name, (item, _) in named.items() if name not in present)]
    return config


def _without_fields(value: Any, fields: FieldSet, schema: Json) -> Any:
    """`value` without the members of `fields`."""
    if not fields:
        return value
    kept: dict[str, Any] = {}
    for name, (inner, sub) in fieldsets.children(value, schema).items():
        node = fields.get(name)
        if node is None:
            kept[name] = inner
        elif node and SELF not in node:
            kept[name] = _without_fields(inner, node, sub)
    if isinstance(value, list):
        return list(kept.values())
    return {name[2:]: inner for name, inner in kept.items()}


def _conflict_error(conflicts: list[tuple[Json, FieldSet]]) -> ApiError:
    found: list[tuple[str, str]] = []
    for entry, fields in conflicts:
        where = f' with subresource "{entry["subresource"]}"' if entry.get("subresource") else ""
        version = f" using {entry['apiVersion']}" if entry["operation"] == "Update" else ""
        found += [(f'"{entry["manager"]}"{where}{version}', path) for path in fieldsets.paths(fields)]
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": path}
        for who, path in found
    ]
    if len(found) == 1:
        summary = f"1 conflict: conflict with {found[0][0]}: {found[0][1]}"
    else:
        lines = [
            f"conflicts with {who}:\n" + "\n".join(f"- {path}" for other, path in found if other == who)
            for who in sorted({who for who, _ in found})
        ]
        summary = f"{len(found)} conflicts: " + "\n".join(lines)
    return ApiError(status_object(409, "Conflict", f"Apply failed with {summary}", {"causes": causes}))
