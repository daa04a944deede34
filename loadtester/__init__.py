"""The receiver that a Canary's hooks call: load tests, acceptance tests and gates.

    POST /  ──►  server ──► payload (what is asked) ──► access (may it?) ──► commands (run it, bounded)
                    │                                                            ▲
                    │                              type cmd ──► background ──────┘   answered 202 at once
                    └──► gates (open, close, check)

`bash` is answered when the command has ended: 200, or 500 with what it wrote. `cmd` runs without a shell.
"""
