"""Names that are part of the product's contract: with Flagger's users, and with objects in clusters.

Read by every package. Apart because a name that is spelled twice is a name that drifts.
"""

GROUP = "flagger.app"
VERSION = "v1beta1"

TRAEFIK_GROUPS = ("traefik.io", "traefik.containo.us")
"""API groups of Traefik's objects, the preferred first. Traefik 3 serves only that, 2.3 only the other."""
TRAEFIK_VERSION = "v1alpha1"

FIELD_MANAGER = "pinfeather"
"""Field manager and User-Agent of every request."""
EVENT_COMPONENT = "flagger"
"""Source component of Events: people filter on Flagger's."""

SELECTOR_LABELS = ("app", "name", "app.kubernetes.io/name")
"""Labels that may tell a target's pods apart; the first that its selector has is used."""

FINALIZER = "finalizer.flagger.app"
REVISION_ANNOTATION = "flagger-id"
"""On the primary's pod template: a fresh value at each promotion."""

ANNOTATION_PREFIX = "pinfeather.dev/"
"""Start of every label and annotation that is ours and not Flagger's."""

CANARY_LABEL = f"{ANNOTATION_PREFIX}canary"
"""On the target and on everything that the controller generates: the Canary's name. What has it is governed:
the webhooks' object selectors ask for it."""
HOLD_ANNOTATION = f"{ANNOTATION_PREFIX}hold"
"""On a target whose newest template waits at admission, see `shared.hold`."""
ROLLOUT_ANNOTATION = f"{ANNOTATION_PREFIX}rollout"
"""On a target: who changed its template last, when, and from which images to which, see `shared.hold`."""
GIVEN_REPLICAS_ANNOTATION = f"{ANNOTATION_PREFIX}given-replicas"
"""On a target: the replicas that the controller gave it. Any other number in its spec is somebody's wish for
the application's size."""
ASKED_REPLICAS_ANNOTATION = f"{ANNOTATION_PREFIX}asked-replicas"
"""On a target: the application's size that somebody asked for and that admission kept out of its spec. The
controller hands it to the primary and removes the annotation."""
BREAK_GLASS_ANNOTATION = f"{ANNOTATION_PREFIX}break-glass"
"""On any governed object, by a person, with a reason: admission lets everything through, and says so."""

WEBHOOKS = "pinfeather"
"""Name of the mutating and of the validating webhook configuration."""

GITOPS_IGNORE = {
    "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
    "helm.toolkit.fluxcd.io/driftDetection": "disabled",
}
"""Annotations of generated objects that keep Flux from undoing them."""


def primary_name(name: str) -> str:
    """The name of the primary's copy of an object."""
    return f"{name}-primary"


def canary_name(name: str) -> str:
    """The name of the canary's Service, for the apex called `name`."""
    return f"{name}-canary"
