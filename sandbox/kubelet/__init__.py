"""Pods as local processes: each container a process group, each pod an address of its own in 127.0.0.0/8.

    pods informer ─► scheduler (binds to this node)
                  ─► Kubelet ─► PodRunner ─► ContainerRunner ─► Processes ─► program of images.RECIPES
                                   │              └─ probes (real requests)
                                   └─► status.pod_status ─► PATCH pods/status, DELETE with no grace at the end

A client of the API server like any other. What a container gets (environment, files, arguments) is computed
in `environment`, `volumes` and `images`; what kubectl shows of it in `status`.
"""
