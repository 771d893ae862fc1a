"""Whether a job is live, where Flink cannot be asked."""

from asknown.settings import Settings
from asknown.stack.jobs import is_live


def test_job_is_not_live_where_flink_does_not_answer(tmp_path):
    nobody = Settings(data_dir=tmp_path, port_offset=9_900)
    assert not is_live(nobody, "reference")
