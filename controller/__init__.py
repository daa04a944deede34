"""The controller: brings new revisions of workloads to users in steps, and takes bad ones back.

    watch ─► caches ─► queue(key) ─► observe ─► decide ─► act ─► the API server
    (informers)                         ▲         pure     │
                                        │                  ├─► rounds ─► hooks, metrics ─┐
                                        └── answers, wake ─┴─────────────────────────────┘

`decide` is pure: an Observation in, a Decision out, one function per phase (`controller.phases`). What it
wants done is absolute and idempotent, so that a pass that dies half-way is repeated by the next. Waiting for
others (hooks, metrics) happens in rounds beside the passes, and the end of a round wakes its Canary again.

    ""  ─► Initializing ─► Initialized ─┐
                                        ▼
    Succeeded, Failed ───────────► [Waiting] ─► Progressing ◄─► WaitingPromotion
        ▲        ▲                                  │  │               │
        │        └── roll back ─────────────────────┘  └──► Promoting ◄┘
        └──────────────── Finalising ◄─────────────────────────┘

To read first: observation.py, decide.py, decision.py, act.py. Extension points are `routers`, `metrics` and
`workloads`: one file and one line in a table each.
"""
