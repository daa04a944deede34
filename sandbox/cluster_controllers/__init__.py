"""The control loops that a Deployment needs, as ordinary clients of an API server.

    informers ─► View (cache + own writes) ─► queue(key) ─► decide(observed) ─► plan ─► writes
                                                              pure, one a loop

    HPA ─replicas─► Deployment ─► ReplicaSet ─► Pod ─► EndpointSlice ◄─ Service
    owners gone ─► garbage collector ─► dependents deleted      namespace terminating ─► emptied ─► finalised
    namespace ─► ServiceAccount `default`, ConfigMap `kube-root-ca.crt`

`ClusterControllers` in `running.py` starts them all. Decisions are functions of observed objects; loops only
carry them out, so that each can be tested by itself and a pass that is repeated does no harm.
"""
