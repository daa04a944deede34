"""Volumes are directories, and mount paths are rewritten to them."""

from pathlib import Path

import pytest

from sandbox.kubelet.environment import ConfigInvalid, Sources
from sandbox.kubelet.volumes import files, mounts, rewrite, write
from tests.sandbox_objects import Json, pod

SOURCES = Sources(pod("a"), "127.10.0.9", {"settings": {"data": {"a.yml": "a", "b.yml": "b"}}}, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--config.file=/etc/prometheus/prometheus.yml", "--config.file=/vol/prometheus.yml"),
        ("/etc/prometheus", "/vol"),
        ("/etc/prometheus2/x", "/etc/prometheus2/x"),
        ("/mnt/etc/prometheus/x", "/mnt/etc/prometheus/x"),
        ("cat /etc/prometheus/a /data/b", "cat /vol/a /vol-data/b"),
        ("/etc/prometheus/rules/r", "/vol-rules/r"),
    ],
)
def test_mount_paths_are_rewritten_where_they_stand_as_a_path(text: str, expected: str) -> None:
    paths = {"/etc/prometheus/rules": "/vol-rules", "/etc/prometheus": "/vol", "/data": "/vol-data"}
    assert rewrite(text, paths) == expected


def test_the_longest_mount_path_wins() -> None:
    container = {
        "volumeMounts": [
            {"name": "a", "mountPath": "/x/"},
            {"name": "b", "mountPath": "/x/y", "subPath": "z"},
        ]
    }
    assert mounts(container, pod("a"), Path("/v")) == {"/x/y": "/v/b/z", "/x": "/v/a"}
    assert list(mounts(container, pod("a"), Path("/v"))) == ["/x/y", "/x"]


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ({"emptyDir": {}}, {}),
        ({"configMap": {"name": "settings"}}, {"a.yml": b"a", "b.yml": b"b"}),
        ({"configMap": {"name": "settings", "items": [{"key": "a.yml", "path": "x/y"}]}}, {"x/y": b"a"}),
        ({"configMap": {"name": "nope", "optional": True}}, {}),
        (
            {"downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}},
            {"n": b"a"},
        ),
        ({"projected": {"sources": [{"configMap": {"name": "settings"}}]}}, {"a.yml": b"a", "b.yml": b"b"}),
    ],
)
def test_a_volume_holds_what_it_is_made_of(volume: Json, expected: dict[str, bytes]) -> None:
    assert files({"name": "v"} | volume, SOURCES) == expected


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"configMap": {"name": "nope"}}, 'configmap "nope" not found'),
        ({"secret": {"secretName": "nope"}}, 'secret "nope" not found'),
        ({"configMap": {"name": "settings", "items": [{"key": "c", "path": "c"}]}}, 'has no key "c"'),
        ({"persistentVolumeClaim": {"claimName": "x"}}, "no persistentVolumeClaim volumes"),
    ],
)
def test_a_volume_that_cannot_be_made_says_why(volume: Json, message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        files({"name": "v"} | volume, SOURCES)


def test_files_stay_within_their_volume(tmp_path: Path) -> None:
    subject = pod("a")
    items = [{"key": "a.yml", "path": "../escaped"}]
    subject["spec"]["volumes"] = [{"name": "v", "configMap": {"name": "settings", "items": items}}]
    with pytest.raises(ConfigInvalid, match="leads out of the volume"):
        write(tmp_path, subject, SOURCES)
    assert not (tmp_path / "escaped").exists()
