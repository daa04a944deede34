"""Which Canaries an object concerns. Filled from the Canaries, asked on every event of anything else."""

from collections import defaultdict
from collections.abc import Iterable

from shared.names import canary_name, primary_name
from shared.types.canary import Canary

Key = tuple[str, str]
Ref = tuple[str, str, str]  # plural of the resource, namespace, name


def refs(canary: Canary) -> Iterable[Ref]:
    """Everything that a decision about this Canary looks at, apart from the Canary itself."""
    namespace, spec = canary.metadata.namespace, canary.spec
    target, apex = spec.target_ref.name, spec.apex_name
    for name in (target, primary_name(target)):
        yield "deployments", namespace, name
    for name in (apex, primary_name(apex), canary_name(apex)):
        yield "services", namespace, name
    yield "traefikservices", namespace, apex
    if spec.autoscaler_ref is not None:
        for name in (spec.autoscaler_ref.name, primary_name(spec.autoscaler_ref.name)):
            yield "horizontalpodautoscalers", namespace, name


class Index:
    """Refs to keys of Canaries, both ways."""

    def __init__(self) -> None:
        self._keys: defaultdict[Ref, set[Key]] = defaultdict(set)
        self._refs: dict[Key, tuple[Ref, ...]] = {}

    def set(self, key: Key, canary: Canary | None) -> None:
        """Remember what this Canary looks at now; None when it is gone or unreadable."""
        for ref in self._refs.pop(key, ()):
            self._keys[ref].discard(key)
            if not self._keys[ref]:
                del self._keys[ref]
        if canary is not None:
            self._refs[key] = tuple(refs(canary))
            for ref in self._refs[key]:
                self._keys[ref].add(key)

    def rivals(self, key: Key) -> frozenset[Key]:
        """The other Canaries with the same target or apex."""
        mine = [ref for ref in self._refs.get(key, ()) if ref[0] in ("deployments", "services")]
        return frozenset(other for ref in mine for other in self._keys[ref]) - {key}

    def concerned(self, ref: Ref) -> frozenset[Key]:
        """The Canaries that look at an object."""
        return frozenset(self._keys.get(ref, ()))
