"""What a request asks to do, in the words that rules are written in.

`server.py` makes an `Access` of every request before it looks whether there is such a path: a real server
tells those who may not do a thing nothing about whether it exists.
"""

from collections.abc import Mapping
from typing import NamedTuple

_VERBS = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_TRUE = ("1", "true", "t", "True", "TRUE", "T")
_BY_NAME = "metadata.name="


class Access(NamedTuple):
    """One thing to do: to a resource or, where `path` is given, to a URL that is none.

    `resource` has its subresource: `deployments/scale`.
    """

    verb: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def plural(self) -> str:
        """The resource without its subresource."""
        return self.resource.partition("/")[0]


def access_of(method: str, path: str, query: Mapping[str, str]) -> Access:
    """What a request asks to do, whether or not anything is served there."""
    match path.strip("/").split("/"):
        case ["api", _, *rest] if rest:
            group = ""
        case ["apis", group, _, *rest] if rest:
            pass
        case _:
            return Access(method.lower(), path=path)
    namespace = ""
    match rest:
        case ["namespaces", namespace]:
            pass
        case ["namespaces", namespace, plural, *_] if plural not in ("status", "finalize"):
            rest = rest[2:]
        case ["namespaces", namespace, *_]:
            pass
    plural, name, subresource = (*rest, "", "")[:3]
    verb = _VERBS.get(method, "")
    if not name:
        verb, name = _of_many(verb, query)
    return Access(verb, group, f"{plural}/{subresource}" if subresource else plural, namespace, name)


def _of_many(verb: str, query: Mapping[str, str]) -> tuple[str, str]:
    """The verb for a whole collection, and the name where a selector leaves one object of it."""
    if verb == "get":
        verb = "watch" if query.get("watch", "") in _TRUE else "list"
    elif verb == "delete":
        verb = "deletecollection"
    else:
        return verb, ""
    for part in query.get("fieldSelector", "").split(","):
        if part.startswith(_BY_NAME):
            return verb, part.removeprefix(_BY_NAME).removeprefix("=")
    return verb, ""
