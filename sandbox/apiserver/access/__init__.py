"""Who may do what: each request on its way in, and each right on its way to somebody.

    gate.py -> tokens.py (who?) -> attributes.py (what?) -> rbac.py (may they? by roles in the store)
    a write of roles or bindings -> rbac_validation.py -> escalation.py (nobody grants more than they have)
    reviews.py: the same questions as objects, `kubectl auth can-i`

`bootstrap.py` has the roles and bindings that every cluster starts with.
"""
