"""A Kubernetes cluster on one machine, without containers or root: to try the product and to test it.

    pinfeather sandbox up ──► lifecycle ──starts──► daemon (python -m sandbox)
                                 │                    ├── apiserver: what kubectl, Traefik and we talk to
                           prerequisites              ├── cluster_controllers: Deployment, ReplicaSet, …
                                                      ├── kubelet: pods as processes on 127.x.y.z
                                                      ├── proxy ◄── directory: podinfo-canary.test, …
                                                      └── addons: Traefik, Prometheus, load tester, …
                           guardian: ends what is left, should the daemon die

The product never knows that it runs here, and nothing of it is imported: it is started as processes.
"""
