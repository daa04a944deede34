"""Custom kinds: one made for the test, and ours."""

from pathlib import Path

from tests.integration.kubectl.command import Kubectl
from tests.integration.kubectl.manifests import CANARY, WIDGET, WIDGETS

CRDS = Path(__file__).parents[3] / "manifests/crds"


async def with_widgets(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=WIDGETS)
    await kubectl("wait", "--for=condition=Established", "crd/widgets.judged.example.com", "--timeout=20s")
    ran = await kubectl.run("apply", "-f", "-", stdin=WIDGET)
    while ran.code:  # what a definition serves is there a moment after it is established
        ran = await kubectl.run("apply", "-f", "-", stdin=WIDGET)


async def test_a_custom_kind_is_used_like_any_other(kubectl: Kubectl) -> None:
    await with_widgets(kubectl)
    assert (await kubectl("get", "wd", "-o", "wide")).split()[:4] == ["NAME", "SIZE", "PHASE", "COLOR"]
    assert await kubectl.value("widget/w", ".spec.color") == "green", "its default"
    assert await kubectl("scale", "widget/w", "--replicas=5") == "widget.judged.example.com/w scaled\n"
    status = '{"status":{"phase":"ok"},"spec":{"size":9}}'
    await kubectl("patch", "widget/w", "--subresource=status", "--type=merge", "-p", status)
    assert (await kubectl("get", "wd", "--no-headers")).split() == ["w", "5", "ok"]
    error = await kubectl.fails("patch", "widget/w", "--type=strategic", "-p", "{}")
    assert (
        "application/strategic-merge-patch+json is not supported" in error or "UnsupportedMediaType" in error
    )


async def test_a_custom_object_is_held_to_its_schema(kubectl: Kubectl) -> None:
    await with_widgets(kubectl)
    error = await kubectl.fails("apply", "-f", "-", stdin=WIDGET.replace("size: 3", "size: 300"))
    assert error == (
        'The Widget "w" is invalid: spec.size: Invalid value: 300: '
        "spec.size in body should be less than or equal to 10\n"
    )
    error = await kubectl.fails("apply", "-f", "-", stdin=WIDGET.replace("size: 3", "size: 3, color: mauve"))
    assert 'spec.color: Unsupported value: "mauve": supported values: "red", "green"' in error
    error = await kubectl.fails("apply", "-f", "-", stdin=WIDGET.replace("size: 3", "size: 3, siz: 3"))
    assert 'strict decoding error: unknown field "spec.siz"' in error
    error = await kubectl.fails(
        "apply", "--server-side", "-f", "-", stdin=WIDGET.replace("size: 3", "siz: 3")
    )
    assert ".spec.siz: field not declared in schema" in error


async def test_a_custom_kind_is_explained(kubectl: Kubectl) -> None:
    await with_widgets(kubectl)
    while (await kubectl.run("explain", "widget")).code:  # what is served is described a moment later
        pass
    told = await kubectl("explain", "widget.spec")
    assert "  size\t<integer> -required-\n    How large it is." in told and "enum: red, green" in told
    assert await kubectl.fails("explain", "widget.spec.nope") == 'error: field "nope" does not exist\n'


async def test_our_kinds_are_explained_validated_printed_and_described(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", str(CRDS))
    await kubectl("wait", "--for=condition=Established", "crd/canaries.flagger.app", "--timeout=20s")
    explain = ("explain", "canary.spec.analysis.interval")
    while (await kubectl.run(*explain)).code:  # what is served is described a moment later
        pass
    assert "FIELD: interval <string>" in await kubectl(*explain)
    error = await kubectl.fails("apply", "-f", "-", stdin=CANARY.replace("INTERVAL", "soon"))
    assert 'spec.analysis.interval: Invalid value: "soon"' in error
    error = await kubectl.fails("apply", "-f", "-", stdin=CANARY.replace("provider", "povider"))
    assert 'unknown field "spec.povider"' in error
    await kubectl("apply", "-f", "-", stdin=CANARY.replace("INTERVAL", "10s"))
    status = '{"status":{"phase":"Progressing","canaryWeight":10}}'
    await kubectl("patch", "canary/podinfo", "--subresource=status", "--type=merge", "-p", status)
    assert (await kubectl("get", "canaries", "--no-headers")).split()[:3] == ["podinfo", "Progressing", "10"]
    described = " ".join((await kubectl("describe", "canary", "podinfo")).split())
    assert "Step Weight: 10" in described and "Phase: Progressing" in described
