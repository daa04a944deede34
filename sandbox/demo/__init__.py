"""The guide's story, played on the sandbox with real kubectl, Traefik, Prometheus and load, and judged.

    command ──► stage (sandbox up) ──► play ──scenario by scenario──► report, exit code
                                        │
      scenarios (the story, as data) ──►├── shell: kubectl and hey, as a user types them
                                        ├── watch: the Canary and its Events     ┐
                                        ├── users: requests all along            ├──► show ──► view ──► screen
                                        └── gauges: Prometheus, for the eye only ┘      └──► judge

scenarios, judge, report and view are pure: values in, values out.
"""
