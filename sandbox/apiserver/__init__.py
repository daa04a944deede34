"""An API server in memory that real Kubernetes clients accept.

    server.py (HTTP) -> access/ (who, and may they?)
                     -> faults.py, for tests
                     -> wellknown.py (discovery.py, openapi.py, health)
                     -> requests.py (Call) -> handlers.py (verbs) -> replies.py (JSON, tables.py, columns.py)
                                                 │
            listing.py, watching.py ◄────────────┼──► subresources.py, patching.py (patch.py), access/
                              │                  ▼
                              │            operations.py: schema.py -> defaults.py -> lifecycle.py
                              │                  │        -> fieldmanagement.py (fieldsets.py)
                              │                  │        -> admission/: mutate
                              │                  │        -> preconditions.py -> validation.py
                              │                  │        -> schema_validation.py (schema_rules.py: cel.py)
                              │                  │        -> access/ (escalation) -> admission/: validate
                              │                  │        -> definitions.py (crds.py)
                              ▼                  ▼
                           storage.py: collections, history, subscriptions; expiry.py

    a request's parts: options.py (query), bodies.py -> documents.py, json_words.py, protobuf.py
                       selectors.py -> label_selectors.py

    validation.py -> naming.py, and a *_validation.py for each family of kinds; notices.py: Warnings
    patching.py -> patch.py, typed.py (apply); gotypes.py, quantities.py: what decoding says and stores
    tables.py -> columns.py, workload_columns.py (cells.py); openapi.py -> descriptions.py

`resources.py` says what is served, `builtin_schema.py` how built-in kinds look, `status.py` refusals.
"""

from sandbox.apiserver.server import ApiServer, Config

__all__ = ["ApiServer", "Config"]
