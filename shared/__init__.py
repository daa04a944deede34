"""What every process is built on; imports nothing of theirs.

API server ──► cluster ──► informer ──► cache ──► queue ──► (controller)
     ▲                        │
     │                  types: JSON ──parse──► frozen models ──► crd ──► manifests/crds/
     │                        └──► errors.InvalidSpec: every problem, each with its field path
     └──── events, leader ◄── (controller)        settings, logs, serving: one for each process
"""
