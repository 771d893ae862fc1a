"""How long a replay waits for the reference job."""

import pytest

from asknown.ingestion.clock import waited_enough


@pytest.mark.parametrize(
    ("waited", "live", "over"),
    [
        (20, False, False),
        (21, False, True),
        (21, True, False),
        (300, True, False),
        (301, True, True),
    ],
)
def test_wait_for_the_reference_job_is_longer_when_it_runs(waited, live, over):
    assert waited_enough(waited, 20, lambda: live) is over


def test_wait_within_patience_asks_nobody():
    assert not waited_enough(1, 20, lambda: pytest.fail("Flink was asked before it mattered"))
