"""The webhooks: what the API server asks before it stores an object, and what we answer.

    HTTP ─► server ─► request (parse) ─► handlers ─► pinning | protection | chain (rules) ─► response ─► HTTP
                                            │                                   │
                                            └── caches (informers) ◄── lookup ──┘

A refusal is an answer (`allowed: false`); what cannot be read is HTTP 400; HTTP 500 is our own bug, and
leaves it to the webhook's failurePolicy what happens then.
"""
