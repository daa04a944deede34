"""Which Canaries this controller can run. What it cannot run it refuses by name and never approximates."""

from controller.observation import Options
from controller.routers import router_of
from controller.workloads import workload_kind
from shared.errors import InvalidSpec
from shared.types.canary import Canary


def check_supported(canary: Canary, options: Options) -> None:
    """Refuse what would otherwise be ignored or done differently.

    Raises:
        InvalidSpec: with every problem and its field path.
    """
    router_of(canary, options)
    workload_kind(canary.spec.target_ref.kind)
    analysis, problems = canary.spec.analysis, list[str]()
    if analysis.iterations or analysis.match:
        problems.append(
            "spec.analysis.iterations: Forbidden: only progressive weights; set stepWeight or stepWeights"
        )
    if analysis.mirror:
        problems.append("spec.analysis.mirror: Forbidden: mirroring is not supported with provider traefik")
    if analysis.session_affinity is not None:
        problems.append("spec.analysis.sessionAffinity: Forbidden: not supported with provider traefik")
    if not analysis.steps and not canary.spec.skip_analysis and not analysis.iterations:
        problems.append("spec.analysis.stepWeight: Required value: set stepWeight or stepWeights")
    if problems:
        raise InvalidSpec("; ".join(problems))
