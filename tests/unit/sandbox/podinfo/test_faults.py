"""A tag asks for faults; everything else in it is a version."""

import pytest

from sandbox.podinfo.faults import Faults, Share, parse


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("6.0.1", Faults()),
        ("6.0.1-rc.1", Faults()),
        ("6.0.1-error-50", Faults(error=50)),
        ("6.0.1-error-500", Faults(error=100)),
        ("6.0.1-latency-800", Faults(latency=0.8)),
        ("6.0.1-notfound-30", Faults(notfound=30)),
        ("6.0.1-crash-10", Faults(crash=10.0)),
        ("6.0.1-unready", Faults(unready=True)),
        ("6.0.1-rc.1-error-5-latency-20-unready", Faults(error=5, latency=0.02, unready=True)),
        ("6.0.1-error", Faults()),
        ("6.0.1-unreadyish", Faults()),
    ],
)
def test_a_tag_asks_for_faults(tag: str, expected: Faults) -> None:
    assert parse(tag) == expected


@pytest.mark.parametrize("percent", [0, 1, 30, 50, 99, 100])
def test_a_share_strikes_exactly_as_often_as_it_says_and_evenly(percent: int) -> None:
    share = Share(percent)
    strikes = [share.strikes() for _ in range(200)]
    assert sum(strikes) == percent * 2
    assert all(abs(sum(strikes[:n]) - n * percent / 100) < 1 for n in range(200))
