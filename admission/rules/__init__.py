"""The rules that Canaries, MetricTemplates and AlertProviders have to keep: each a pure function with an id.

Change (old, new, who) + Lookup (what is around) ──► Rule.check ──► Problems ──► Violations
"""
