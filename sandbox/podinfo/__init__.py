"""A small podinfo: the application that the sandbox's rollouts roll out.

    image tag ─► faults.parse ─► Faults ─┐
    connection ─► http.serve ─► Request ─┴─► routes.App.answer ─► Response ─► connection

It answers the paths of the real podinfo that canary guides use. The tag is its version, and a tag may ask for
faults (see `sandbox.podinfo.faults`), so that a bad release is one `kubectl set image` away. Standard library
only: a pod is a process of its own and has to start in a fraction of a second.
"""
