"""delete with every cascade, finalizers, and waiting for the end."""

from tests.integration.kubectl.command import Kubectl
from tests.integration.kubectl.manifests import WEB


async def test_dependents_go_with_their_owner_before_it_or_not_at_all(web: Kubectl) -> None:
    deleted = f'deployment.apps "web" deleted from {web.namespace} namespace\n'
    assert await web("delete", "deploy/web", "--cascade=orphan") == deleted
    assert (await web("get", "rs", "-o", "name")).count("\n") == 1
    assert await web.value("rs", ".items[0].metadata.ownerReferences") == ""
    await web("apply", "-f", "-", stdin=WEB)
    await web("rollout", "status", "deploy/web", "--timeout=30s")
    assert (await web("get", "rs", "-o", "name")).count("\n") == 1, "the orphan is taken in again"
    assert await web("delete", "deploy/web", "--cascade=foreground") == deleted
    assert await web("get", "rs,pods", "-o", "name") == "", "it waited for them"


async def test_dependents_are_collected_in_the_background(web: Kubectl) -> None:
    pods = (await web("get", "pods", "-o", "name")).split()
    await web("delete", "deploy/web", "--cascade=background")
    await web("wait", "--for=delete", "--timeout=20s", *pods)
    assert await web("get", "rs", "-o", "name") == ""


async def test_a_finalizer_holds_an_object_until_it_is_taken_off(web: Kubectl) -> None:
    await web("patch", "deploy/web", "--type=merge", "-p", '{"metadata":{"finalizers":["judged/a"]}}')
    await web("delete", "deploy/web", "--wait=false")
    late = await web.fails("delete", "deploy/web", "--timeout=1s")
    assert late.splitlines()[-1] == "error: timed out waiting for the condition on deployments/web"
    more = '{"metadata":{"finalizers":["judged/a","judged/b"]}}'
    error = await web.fails("patch", "deploy/web", "--type=merge", "-p", more)
    assert 'if the object is being deleted, found new finalizers []string{"judged/b"}' in error
    waiting = await web.start("wait", "deploy/web", "--for=delete", "--timeout=20s")
    await web("patch", "deploy/web", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert await waiting.wait() == 0
    assert "not found" in await web.fails("get", "deploy/web")


async def test_a_dry_run_deletes_nothing_and_what_is_gone_may_be_ignored(web: Kubectl) -> None:
    told = await web("delete", "deploy/web", "--dry-run=server")
    assert told == f'deployment.apps "web" deleted from {web.namespace} namespace (server dry run)\n'
    assert await web("get", "deploy", "-o", "name") == "deployment.apps/web\n"
    assert await web("delete", "deploy", "-l", "app=web") != ""
    assert await web("delete", "deploy/web", "--ignore-not-found") == ""
    assert await web.fails("delete", "deploy/web") == (
        'Error from server (NotFound): deployments.apps "web" not found\n'
    )


async def test_a_namespace_goes_with_all_that_is_in_it(kubectl: Kubectl) -> None:
    space = f"{kubectl.namespace}-x"
    await kubectl("create", "namespace", space)
    await kubectl("create", "deployment", "web", "--image=web:1", f"--namespace={space}")
    ran = await kubectl.run("delete", "namespace", space, "--timeout=40s")
    assert (ran.code, ran.out) == (0, f'namespace "{space}" deleted\n')
    assert "NotFound" in await kubectl.fails("get", "namespace", space)


async def test_a_created_object_is_waited_for(kubectl: Kubectl) -> None:
    waiting = await kubectl.start("wait", "deploy/late", "--for=create", "--timeout=20s")
    await kubectl("create", "deployment", "late", "--image=web:1")
    assert await waiting.wait() == 0
