"""patch in all its types, label, annotate, edit and replace."""

from tests.integration.kubectl.command import Kubectl
from tests.integration.kubectl.manifests import SERVICE, WEB

CONTAINERS = ".spec.template.spec.containers"


async def patch(kubectl: Kubectl, body: str, kind: str = "strategic", what: str = "deploy/web") -> str:
    return await kubectl("patch", what, f"--type={kind}", "-p", body)


def pod(inner: str) -> str:
    return f'{{"spec":{{"template":{{"spec":{{{inner}}}}}}}}}'


async def test_a_strategic_patch_merges_containers_by_name(web: Kubectl) -> None:
    await patch(web, pod('"containers":[{"name":"side","image":"side:1"}]'))
    assert await web.value("deploy/web", f"{CONTAINERS}[*].name") == "side app"
    await patch(web, pod('"containers":[{"name":"side","$patch":"delete"}]'))
    assert await web.value("deploy/web", f"{CONTAINERS}[*].name") == "app"
    await patch(web, pod('"containers":[{"name":"app","$setElementOrder/env":[{"name":"B"},{"name":"A"},'
                         '{"name":"C"}],"env":[{"name":"C","value":"3"}]}]'))  # fmt: skip
    assert await web.value("deploy/web", f"{CONTAINERS}[0].env[*].name") == "B A C"
    await patch(
        web, pod('"containers":[{"name":"app","env":[{"$patch":"replace"},{"name":"Z","value":"1"}]}]')
    )
    assert await web.value("deploy/web", f"{CONTAINERS}[0].env[*].name") == "Z"
    error = await web.fails("patch", "deploy/web", "-p", pod('"containers":[{"image":"x"}]'))
    assert error == "Error from server: map: map[image:x] does not contain declared merge key: name\n"


async def test_a_strategic_patch_retains_keys_and_deletes_from_plain_lists(web: Kubectl) -> None:
    await patch(web, '{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}}')
    assert await web.value("deploy/web", ".spec.strategy") == '{"type":"Recreate"}'
    await patch(web, '{"metadata":{"finalizers":["judged/a","judged/b"]}}')
    await patch(web, '{"metadata":{"$deleteFromPrimitiveList/finalizers":["judged/a"]}}')
    assert await web.value("deploy/web", ".metadata.finalizers") == '["judged/b"]'
    await patch(web, '[{"op":"remove","path":"/metadata/finalizers"}]', "json")


async def test_json_and_merge_patches_do_as_their_standards_say(web: Kubectl) -> None:
    assert await patch(web, '[{"op":"replace","path":"/spec/replicas","value":3}]', "json") == (
        "deployment.apps/web patched\n"
    )
    assert await patch(web, '{"spec":{"replicas":3}}', "merge") == "deployment.apps/web patched (no change)\n"
    error = await web.fails(
        "patch", "deploy/web", "--type=json", "-p", '[{"op":"test","path":"/spec/replicas","value":9}]'
    )
    assert error == "The request is invalid: the server rejected our request due to an error in our request\n"
    error = await web.fails("patch", "deploy/web", "--type=json", "-p", '{"a":1}')
    assert "cannot unmarshal object into Go value of type []handlers.jsonPatchOp" in error
    await patch(
        web,
        '{"spec":{"template":{"spec":{"volumes":null,"containers":[{"name":"n","image":"i"}]}}}}',
        "merge",
    )
    assert await web.value("deploy/web", f"{CONTAINERS}[*].name") == "n"


WRONG_PATCHES = [
    (
        "strategic",
        '{"spec":{"replicas":"x"}}',
        'The request is invalid: patch: Invalid value: "map[spec:map[replicas:x]]": unrecognized type: int32',
    ),
    (
        "merge",
        '{"spec":{"replicas":"x"}}',
        "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
    ),
    (
        "merge",
        '{"metadata":{"name":"other"}}',
        "the name of the object (other) does not match the name on the URL (web)",
    ),
    ("merge", '{"metadata":{"uid":"1"}}', 'metadata.uid: Invalid value: "1": field is immutable'),
    (
        "merge",
        '{"metadata":{"resourceVersion":"1"}}',
        "the object has been modified; please apply your changes to the latest version and try again",
    ),
    ("merge", '{"spec":{"selector":{"matchLabels":{"app":"x"}}}}', "field is immutable"),
    (
        "merge",
        '{"spec":{"template":{"metadata":{"labels":null}}}}',
        "labels: Invalid value: null: `selector` does not match template `labels`",
    ),
    (
        "merge",
        '{"metadata":{"finalizers":["x"]}}',
        "name is neither a standard finalizer name nor is it fully qualified",
    ),
    (
        "merge",
        '{"metadata":{"labels":{"a/b/c":"d"}}}',
        "a valid label key must consist of alphanumeric characters",
    ),
    (
        "merge",
        '{"metadata":{"annotations":{"a b":"c"}}}',
        'metadata.annotations: Invalid value: "a b": name part must consist of',
    ),
]


async def test_a_patch_that_leads_nowhere_is_refused(web: Kubectl) -> None:
    missed = {}
    for kind, body, complaint in WRONG_PATCHES:
        error = await web.fails("patch", "deploy/web", f"--type={kind}", "-p", body)
        if complaint not in error:
            missed[body] = error
    assert missed == {}


WRONG_SERVICES = [
    ('{"spec":{"clusterIP":"10.96.250.3"}}', "may not change once set"),
    (
        '{"spec":{"type":"Foo"}}',
        'Unsupported value: "Foo": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ),
    (
        '{"spec":{"ports":[{"port":80,"targetPort":99999}]}}',
        "spec.ports[0].targetPort: Invalid value: 99999: must be between 1 and 65535",
    ),
    ('{"spec":{"ports":[{"port":80},{"port":81}]}}', "spec.ports[0].name: Required value"),
    (
        '{"spec":{"ports":[{"port":80,"protocol":"XX"}]}}',
        'Unsupported value: "XX": supported values: "SCTP", "TCP", "UDP"',
    ),
    ('{"spec":{"ports":null}}', "spec.ports: Required value"),
]


async def test_a_service_stays_one_that_can_be_reached(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=SERVICE)
    missed = {}
    for body, complaint in WRONG_SERVICES:
        error = await kubectl.fails("patch", "svc/web", "--type=merge", "-p", body)
        if complaint not in error:
            missed[body] = error
    assert missed == {}


async def test_labels_and_annotations_are_put_on_changed_and_taken_off(web: Kubectl) -> None:
    assert await web("label", "deploy/web", "tier=front") == "deployment.apps/web labeled\n"
    assert await web.fails("label", "deploy/web", "tier=back") == (
        "error: 'tier' already has a value (front), and --overwrite is false\n"
    )
    assert await web("label", "deploy/web", "tier=back", "--overwrite") == "deployment.apps/web labeled\n"
    assert await web("label", "deploy/web", "tier-") == "deployment.apps/web unlabeled\n"
    assert await web("annotate", "deploy/web", "note=hello there") == "deployment.apps/web annotated\n"
    assert await web.value("deploy/web", ".metadata.annotations.note") == "hello there"
    await web("annotate", "deploy/web", "note-")
    assert await web.value("deploy/web", ".metadata.annotations.note") == ""


async def test_an_edit_is_saved_refused_or_nothing(web: Kubectl) -> None:
    edit = ("edit", "deploy/web")
    assert await web.editing("s/replicas: 2$/replicas: 3/")(*edit) == "deployment.apps/web edited\n"
    assert await web.value("deploy/web", ".spec.replicas") == "3"
    ran = await web.editing("s/nothing//").run(*edit)
    assert ran.code == 0 and ran.err == "Edit cancelled, no changes made.\n"
    error = await web.editing("s/replicas: 3$/replicas: -3/").fails(*edit)
    assert 'error: deployments.apps "web" is invalid' in error


async def test_a_replacement_is_whole_and_knows_what_it_replaces(web: Kubectl) -> None:
    await web("label", "deploy/web", "tier=front")
    assert await web("replace", "-f", "-", stdin=WEB) == "deployment.apps/web replaced\n"
    assert await web.value("deploy/web", ".metadata.labels") == '{"app":"web"}'
    stale = WEB.replace("name: web,", 'name: web, resourceVersion: "1",')
    assert "Error from server (Conflict)" in await web.fails("replace", "-f", "-", stdin=stale)
    error = await web.fails("replace", "-f", "-", stdin=WEB.replace("name: web,", "name: nope,"))
    assert 'deployments.apps "nope" not found' in error
    before = await web.value("deploy/web", ".metadata.uid")
    assert await web("replace", "--force", "-f", "-", stdin=WEB) == (
        f'deployment.apps "web" deleted from {web.namespace} namespace\ndeployment.apps/web replaced\n'
    )
    assert await web.value("deploy/web", ".metadata.uid") != before


async def test_what_is_immutable_stays(kubectl: Kubectl) -> None:
    await kubectl("create", "configmap", "c", "--from-literal=a=1")
    await kubectl("patch", "cm/c", "--type=merge", "-p", '{"immutable":true}')
    error = await kubectl.fails("patch", "cm/c", "--type=merge", "-p", '{"data":{"a":"2"}}')
    assert error == (
        'The ConfigMap "c" is invalid: data: Forbidden: field is immutable when `immutable` is set\n'
    )
