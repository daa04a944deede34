"""Kubernetes objects as frozen models: parsed once at the edge, so that nothing inside digs in JSON.

JSON ──parse──► Canary, MetricTemplate, AlertProvider, TraefikService ──dump──► JSON
       └──► InvalidSpec, every problem with its field path (problems)

scalars, meta ◄── analysis, service, status ◄── canary     the CRDs come from the same models (shared.crd)
"""
