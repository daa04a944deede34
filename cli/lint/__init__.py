"""The rules of admission for files, offline.

paths ──► files (objects with their lines) ──► findings (admission.check) ──► output (text, JSON, GitHub)

`cli.lint_command` calls it.
"""
