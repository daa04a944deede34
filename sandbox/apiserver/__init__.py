"""An API server in memory that real Kubernetes clients accept.

    server.py (HTTP) -> wellknown.py (discovery.py, openapi.py, health)
                     -> requests.py (Call) -> handlers.py (verbs) -> replies.py (JSON, tables.py, columns.py)
                                                 │
                          watching.py ◄──────────┼──► subresources.py, reviews.py, patching.py (patch.py)
                              │                  ▼
                              │            operations.py: schema.py -> defaults.py -> lifecycle.py
                              │                  │        -> fieldmanagement.py (fieldsets.py)
                              │                  │        -> validation.py, schema_validation.py
                              │                  │        -> definitions.py (crds.py)
                              ▼                  ▼
                           storage.py: collections, history, subscriptions

`resources.py` says what is served, `builtin_schema.py` how built-in kinds look, `status.py` refusals.
"""

from sandbox.apiserver.server import ApiServer, Config

__all__ = ["ApiServer", "Config"]
