"""One module per group of phases; `controller.decide` calls their functions, one per phase.

    ""  ─► Initializing ─► Initialized ─┐
                                        ▼
    Succeeded, Failed ───────────► [Waiting] ─► Progressing ◄─► WaitingPromotion
        ▲        ▲                                  │  │               │
        │        └── roll back ─────────────────────┘  └──► Promoting ◄┘
        └──────────────── Finalising ◄─────────────────────────┘

A phase function sees an Observation and returns a Step. It never routes: the weight that users get is
always the one in the next status, and `controller.traffic` turns it into what Traefik is given.
"""
