"""The command `pinfeather`.

    arguments ──► __main__ ──► sandbox_commands ──► sandbox.lifecycle
                           └─► demo_command ──────► sandbox.demo

Help, and `sandbox up` on a running sandbox, answer at once: what takes long to import is imported when it
runs.
"""
