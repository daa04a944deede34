"""Certificates, and the API server's trust in them.

    Secret ──► rotate ── policy: why? ──► renew ── authority: make ──► Secret
                  │                                          (all replicas read it; the first to write wins)
    files ──► folder
                  │
                  └──► serving ──► reload: the TLS context of the listener
                          └──────► inject: caBundle of the webhook configurations

The sandbox's API server makes its own with `authority` alone.
"""
