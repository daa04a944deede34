"""apply, on the client and on the server, and diff."""

from pathlib import Path

from tests.integration.kubectl.command import Kubectl
from tests.integration.kubectl.manifests import SERVICE, WEB

WEB_2 = WEB.replace("web:1", "web:2").replace('value: "1"', 'value: "9"')
CONTAINER = ".spec.template.spec.containers[0]"


async def apply(kubectl: Kubectl, manifest: str, *options: str) -> str:
    return await kubectl("apply", *options, "-f", "-", stdin=manifest)


async def refused(kubectl: Kubectl, manifest: str, *options: str) -> str:
    return await kubectl.fails("apply", *options, "-f", "-", stdin=manifest)


async def test_applying_again_changes_nothing_and_a_change_merges(web: Kubectl) -> None:
    assert await apply(web, WEB) == "deployment.apps/web unchanged\n"
    assert await apply(web, WEB_2) == "deployment.apps/web configured\n"
    assert await web.value("deploy/web", f"{CONTAINER}.env[*].value") == "9 2"


async def test_what_others_set_stays_and_what_is_no_longer_said_goes(web: Kubectl) -> None:
    await web("set", "env", "deploy/web", "C=3")
    await web("scale", "deploy/web", "--replicas=5")
    without = WEB.replace('{name: A, value: "1"}, ', "").replace("  replicas: 2\n", "")
    await apply(web, without)
    assert await web.value("deploy/web", f"{CONTAINER}.env[*].name") == "B C"
    assert await web.value("deploy/web", ".spec.replicas") == "1", "what nobody says any more has its default"
    shown = await web("apply", "view-last-applied", "deploy/web")
    assert "name: B" in shown and "name: C" not in shown


async def test_conflicts_on_the_server_are_named_and_forcing_takes_the_fields(web: Kubectl) -> None:
    await apply(web, WEB, "--server-side")
    conflict = await refused(web, WEB_2, "--server-side", "--field-manager=other")
    assert conflict.splitlines()[:3] == [
        'error: Apply failed with 2 conflicts: conflicts with "kubectl":',
        '- .spec.template.spec.containers[name="app"].image',
        '- .spec.template.spec.containers[name="app"].env[name="A"].value',
    ]
    taken = await apply(web, WEB_2, "--server-side", "--field-manager=other", "--force-conflicts")
    assert taken == "deployment.apps/web serverside-applied\n"
    assert await web.value("deploy/web", f"{CONTAINER}.image") == "web:2"
    assert '"kubectl"' not in await refused(web, WEB, "--server-side"), "it owns nothing of that any more"


async def test_a_field_that_its_last_applier_drops_disappears(web: Kubectl) -> None:
    await apply(web, WEB, "--server-side")
    without = WEB.replace(', {name: B, value: "2"}', "")
    await apply(web, without, "--server-side")
    assert await web.value("deploy/web", f"{CONTAINER}.env[*].name") == "A"
    await apply(web, WEB, "--server-side", "--field-manager=other", "--force-conflicts")
    await apply(web, without, "--server-side")
    assert await web.value("deploy/web", f"{CONTAINER}.env[*].name") == "A B", "another owns it too"


async def test_going_over_to_server_side_apply_is_no_conflict_with_oneself(web: Kubectl) -> None:
    assert await apply(web, WEB_2, "--server-side") == "deployment.apps/web serverside-applied\n"
    assert await web.value("deploy/web", f"{CONTAINER}.env[*].value") == "9 2"
    managers = (
        "get",
        "deploy/web",
        "--show-managed-fields",
        "-o",
        "jsonpath={.metadata.managedFields[*].manager}",
    )
    assert "kubectl-client-side-apply" not in await web(*managers)
    annotation = await web("apply", "view-last-applied", "deploy/web")
    assert "image: web:2" in annotation, "clients that still go by the annotation see what was applied"


async def test_a_service_whose_port_changes_has_one_port(kubectl: Kubectl) -> None:
    await apply(kubectl, SERVICE)
    changed = SERVICE.replace("port: 80,", "port: 81,")
    assert await apply(kubectl, changed) == "service/web configured\n"
    assert await apply(kubectl, changed, "--server-side") == "service/web serverside-applied\n"
    assert await kubectl.value("svc/web", ".spec.ports[*].port") == "81"


async def test_a_diff_shows_what_an_apply_would_change(web: Kubectl) -> None:
    assert (await web.run("diff", "-f", "-", stdin=WEB)).code == 0
    ran = await web.run("diff", "-f", "-", stdin=WEB_2)
    assert ran.code == 1
    assert "-        image: web:1" in ran.out and "+        image: web:2" in ran.out
    assert await web.value("deploy/web", f"{CONTAINER}.image") == "web:1"


async def test_a_kustomization_is_applied_and_deleted_as_a_whole(kubectl: Kubectl, tmp_path: Path) -> None:
    folder = tmp_path / "kustomized"
    folder.mkdir()
    (folder / "web.yaml").write_text(WEB)
    (folder / "kustomization.yaml").write_text(
        "namePrefix: k-\nresources: [web.yaml]\nimages: [{name: web, newTag: '7'}]\n"
        "configMapGenerator: [{name: c, literals: [a=1]}]\n"
    )
    made = await kubectl("apply", "-k", str(folder))
    assert "configmap/k-c-" in made and "deployment.apps/k-web created" in made
    assert await kubectl.value("deploy/k-web", f"{CONTAINER}.image") == "web:7"
    await kubectl("delete", "-k", str(folder))
    assert await kubectl("get", "deploy", "-o", "name") == ""


UNKNOWN = WEB.replace('value: "2"', 'valu: "2"')


async def test_an_unknown_field_is_refused_warned_of_or_ignored(kubectl: Kubectl) -> None:
    error = await refused(kubectl, UNKNOWN, "--validate=strict")
    field = 'unknown field "spec.template.spec.containers[0].env[1].valu"'
    assert (
        f'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: {field}'
        in error
    )
    ran = await kubectl.run("apply", "--validate=warn", "-f", "-", stdin=UNKNOWN)
    assert (ran.code, ran.err) == (0, f"Warning: {field}\n")
    patched = await refused(kubectl, UNKNOWN.replace("valu:", "value1:"), "--validate=strict")
    assert "The request is invalid: patch: Invalid value" in patched and 'env[1].value1"' in patched
    assert (await kubectl.run("apply", "--validate=ignore", "-f", "-", stdin=UNKNOWN)).err == ""
    path = '.spec.template.spec.containers[name="app"].env[name="B"].valu: field not declared in schema'
    assert path in await refused(kubectl, UNKNOWN, "--server-side", "--validate=warn")


WRONG_VALUES = [
    (
        "replicas: 2",
        "replicas: -1",
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
    ),
    (
        "cpu: 100m",
        "cpu: '-1'",
        'resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0',
    ),
    (
        "memory: 128Mi",
        "memory: 1Mi",
        'requests: Invalid value: "64Mi": must be less than or equal to memory limit of 1Mi',
    ),
    (
        "containerPort: 80",
        "containerPort: 99999",
        "containerPort: Invalid value: 99999: must be between 1 and 65535",
    ),
    (
        "{matchLabels: {app: web}}",
        "{matchLabels: {app: x}}",
        'labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ),
    ("{name: config, mountPath", "{name: x, mountPath", 'volumeMounts[0].name: Not found: "x"'),
    (
        "{path: /, port: http}",
        "{path: /}",
        "readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive",
    ),
    (
        'image: "web:1"',
        "imagePullPolicy: Maybe",
        'Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never"',
    ),
    ('image: "web:1"', "tty: false", "containers[0].image: Required value"),
    (
        "    spec:",
        "    spec:\n      restartPolicy: Never",
        'restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ),
    (
        "name: c}}",
        "name: c}, emptyDir: {}}",
        "configMap: Forbidden: may not specify more than 1 volume type",
    ),
    (
        "name: web, labels",
        "name: WEB, labels",
        'metadata.name: Invalid value: "WEB": a lowercase RFC 1123 subdomain',
    ),
    (
        "  replicas: 2",
        "  strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}",
        "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
    ),
    (
        "  replicas: 2",
        "  strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}",
        "maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
    ),
    (
        "  replicas: 2",
        "  progressDeadlineSeconds: 5\n  minReadySeconds: 9",
        "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds",
    ),
]


async def test_a_wrong_value_is_refused_with_its_path_and_reason(kubectl: Kubectl) -> None:
    missed = {}
    for old, new, complaint in WRONG_VALUES:
        assert old in WEB
        error = await refused(kubectl, WEB.replace(old, new))
        if not error.startswith("The Deployment ") or complaint not in error:
            missed[new] = error
    assert missed == {}


WRONG_TYPES = [
    (
        "replicas: 2",
        "replicas: two",
        "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
    ),
    (
        'value: "1"',
        "value: 1",
        "cannot unmarshal number into Go struct field "
        "EnvVar.spec.template.spec.containers.env.value of type string",
    ),
    ("cpu: 100m", "cpu: abc", "quantities must match the regular expression"),
]


async def test_a_value_of_another_type_is_refused_as_the_decoder_does(kubectl: Kubectl) -> None:
    for old, new, complaint in WRONG_TYPES:
        error = await refused(kubectl, WEB.replace(old, new))
        assert "Error from server (BadRequest)" in error and complaint in error


async def test_kinds_that_are_not_served_are_told_apart_from_wrong_ones(kubectl: Kubectl) -> None:
    error = await refused(kubectl, WEB.replace("kind: Deployment", "kind: Deploymen"))
    assert 'no matches for kind "Deploymen" in version "apps/v1"\nensure CRDs are installed first' in error
    error = await refused(kubectl, WEB.replace("apps/v1", "apps/v9"))
    assert 'no matches for kind "Deployment" in version "apps/v9"' in error


async def test_quantities_are_stored_in_their_one_form(kubectl: Kubectl) -> None:
    await apply(kubectl, WEB.replace("cpu: 100m", 'cpu: "0.1"').replace("memory: 128Mi", "memory: 0.125Gi"))
    shown = await kubectl.value("deploy/web", f"{CONTAINER}.resources")
    assert shown == '{"limits":{"memory":"128Mi"},"requests":{"cpu":"100m","memory":"64Mi"}}'


async def test_a_variable_that_hides_another_is_warned_of(kubectl: Kubectl) -> None:
    manifest = WEB.replace("{name: B", "{name: A")
    ran = await kubectl.run("create", "-f", "-", stdin=manifest)
    assert ran.code == 0
    assert ran.err == (
        'Warning: spec.template.spec.containers[0].env[1]: hides previous definition of "A", '
        "which may be dropped when using apply\n"
    )
