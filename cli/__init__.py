"""The command `pinfeather`.

    arguments ──► __main__ ──► sandbox_commands ──► sandbox.lifecycle
                           ├─► demo_command ──────► sandbox.demo
                           └─► lint_command ──────► lint (files) ─► admission.check

Help, and `sandbox up` on a running sandbox, answer at once: what takes long to import is imported when it
runs.
"""
