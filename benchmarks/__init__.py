"""How fast and how small the controller is: measured from outside, never asserted.

    __main__ ─► one function per group of figures ─► Figure ─► table, JSON
                     │
                     ▼
    Stand:  API server (process)  ◄── controller (process) ──► scripted Prometheus
                  ▲    ▲
                  │    └── Pods: what the Deployment and EndpointSlice controllers write, without pods
                  └─────── the benchmark: applies, changes images, reads who asked and wrote what, and when

Times are the API server's own. Everything is on this machine's loopback, and every wait has an end.
"""
