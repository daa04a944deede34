"""The name of a revision: a hash of its pod template.

The controller computes it for every Deployment that the API server reports, admission for those that it
holds; statuses, holds and the primary's annotation carry it. It stands apart because it may never change:
another hash for the same template would make every Canary of a cluster analyse a revision that is no news.
"""

import hashlib

import orjson

from shared.types.meta import Json

_LENGTH = 32
"""Hex digits kept: 128 bits, so that nobody can make two templates of one name (2^64 tries), which with
64 bits is an afternoon's work and would let the second pass as the first, analysed one."""


def template_hash(template: Json) -> str:
    """SHA-256 over the canonical JSON (sorted keys, no spaces) of a pod template as the API server serves it.

    It rests on nothing but the bytes of the template, so no version of this program or of a library changes
    it. `metadata.creationTimestamp` does not count: clients built on client-go write it as null.
    """
    canonical = orjson.dumps(bare_template(template), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()[:_LENGTH]


def bare_template(template: Json) -> Json:
    """The template without an empty creation time, which means nothing in a template."""
    metadata = template.get("metadata") or {}
    if metadata.get("creationTimestamp"):
        return template
    return {**template, "metadata": {k: v for k, v in metadata.items() if k != "creationTimestamp"}}
