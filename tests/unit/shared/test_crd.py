"""The CRDs: up to date with the models, and structural as the API server wants them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.crd import crds, files, main, stale, structural
from shared.types.meta import Json

MANIFESTS = Path(__file__).parents[3] / "manifests/crds"


def nodes(schema: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every node of a schema with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}[]")


def all_nodes() -> list[tuple[str, Json]]:
    return [
        (crd["spec"]["names"]["kind"] + path, node)
        for crd in crds()
        for path, node in nodes(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    ]


def canary_crd() -> Json:
    return next(iter(crds()))


def test_the_manifests_are_as_the_models_have_them() -> None:
    assert stale(MANIFESTS) == [], "run python -m shared.crd manifests/crds"


def test_a_missing_or_changed_file_is_out_of_date(tmp_path: Path) -> None:
    for name, text in files().items():
        (tmp_path / name).write_text(text, "utf-8")
    assert stale(tmp_path) == []
    (tmp_path / "canaries.yaml").write_text("changed", "utf-8")
    (tmp_path / "metrictemplates.yaml").unlink()
    assert sorted(stale(tmp_path)) == ["canaries.yaml", "metrictemplates.yaml"]


def test_the_command_writes_what_its_check_then_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "crds")
    monkeypatch.setattr("sys.argv", ["crd", "--check", folder])
    assert main() == 1
    assert f"canaries.yaml is out of date: run python -m shared.crd {folder}" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["crd", folder])
    assert main() == 0
    monkeypatch.setattr("sys.argv", ["crd", "--check", folder])
    assert main() == 0


def test_every_node_has_a_type_and_every_field_an_explanation() -> None:
    for path, node in all_nodes():
        assert "type" in node or node.get("x-kubernetes-int-or-string"), path
        field = path.rsplit(".", 1)[-1]
        if "." in path and not path.endswith("[]") and field != "metadata":
            assert node.get("description"), path


def test_no_node_has_what_a_structural_schema_may_not() -> None:
    for path, node in all_nodes():
        assert not node.keys() & {"$ref", "anyOf", "oneOf", "title", "propertyNames", "const"}, path
        assert not (node.get("properties") and "additionalProperties" in node), path
        assert node.get("additionalProperties") is not False, path


def test_lists_maps_and_texts_that_people_write_have_a_size() -> None:
    for path, node in all_nodes():
        if ".spec" not in path or "enum" in node or node.get("format"):
            continue
        if node.get("type") == "array":
            assert "maxItems" in node, path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path
        if node.get("type") == "string":
            assert "maxLength" in node, path


def test_numbers_that_are_counted_are_integers() -> None:
    kinds = {path: node.get("type") for path, node in all_nodes()}
    fractions = {path.rsplit(".", 1)[-1] for path, kind in kinds.items() if kind == "number"}
    assert fractions == {"min", "max", "threshold"}
    assert kinds["Canary.spec.analysis.threshold"] == "integer"


def test_only_other_routers_fields_are_free_form() -> None:
    free = {path for path, node in all_nodes() if node.get("x-kubernetes-preserve-unknown-fields")}
    names = {"gatewayRefs[]", "trafficPolicy", "match[]", "retries", "headers", "mirror[]", "corsPolicy"}
    assert free == {f"Canary.spec.service.{name}" for name in names}


def test_defaults_are_those_that_hold_whatever_else_is_said() -> None:
    defaults = {path: node["default"] for path, node in all_nodes() if "default" in node}
    assert defaults == {
        "Canary.spec.progressDeadlineSeconds": 600,
        "Canary.spec.service.portName": "http",
        "Canary.spec.analysis.interval": "1m",
        "Canary.spec.analysis.threshold": 1,
        "Canary.spec.analysis.primaryReadyThreshold": 100,
        "Canary.spec.analysis.canaryReadyThreshold": 100,
        "Canary.spec.analysis.metrics[].interval": "1m",
        "Canary.spec.analysis.webhooks[].type": "rollout",
        "Canary.spec.analysis.webhooks[].timeout": "10s",
        "Canary.spec.analysis.alerts[].severity": "info",
        "Canary.spec.analysis.sessionAffinity.maxAge": 86400,
        "AlertProvider.spec.channel": "general",
        "AlertProvider.spec.username": "flagger",
    }


def test_what_is_required_is_what_flagger_requires() -> None:
    required = {path: node["required"] for path, node in all_nodes() if "required" in node}
    assert required["Canary.spec"] == ["targetRef", "analysis"]
    assert required["Canary.spec.service"] == ["port"]
    assert required["Canary.spec.targetRef"] == ["apiVersion", "kind", "name"]
    assert required["Canary.spec.analysis.webhooks[]"] == ["name", "url"]
    assert required["MetricTemplate.spec"] == ["provider", "query"]


def test_kubectl_get_shows_flaggers_columns() -> None:
    columns = canary_crd()["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [(column["name"], column.get("priority", 0)) for column in columns] == [
        ("Status", 0),
        ("Weight", 0),
        ("Suspended", 1),
        ("FailedChecks", 1),
        ("Interval", 1),
        ("Mirror", 1),
        ("StepWeight", 1),
        ("StepWeights", 1),
        ("MaxWeight", 1),
        ("LastTransitionTime", 0),
    ]


def test_every_kind_is_in_kubectl_get_all_and_has_a_status() -> None:
    for crd in crds():
        assert crd["spec"]["names"]["categories"] == ["all"]
        assert crd["spec"]["versions"][0]["subresources"] == {"status": {}}


def test_what_nobody_decided_how_to_translate_stops_the_generation() -> None:
    with pytest.raises(ValueError, match="exclusiveMinimum"):
        structural({"type": "integer", "exclusiveMinimum": 0}, {})
