"""The number that stands for a key where a batch is sorted: one each, and never two keys in one."""

from __future__ import annotations

import pytest
from pyflink.table import TableEnvironment

from jobs.runtime import environment

ROWS = "(VALUES {}) AS t(raw_key, event_time, number)"


@pytest.fixture(scope="module")
def batch() -> TableEnvironment:
    return environment.bounded("key numbers", 1, **environment.without_cluster())


def placed(batch: TableEnvironment, *rows: tuple[str, str, int]) -> list[tuple[str, str]]:
    values = ", ".join(f"('{key}', TIMESTAMP '{time}', {number})" for key, time, number in rows)
    question = (
        "SELECT raw_key, CAST(KEY_TIME(raw_key, CAST(event_time AS TIMESTAMP(3))) OVER ("
        "PARTITION BY number ORDER BY event_time RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
        f") AS STRING) FROM {ROWS.format(values)}"
    )
    with batch.execute_sql(question).collect() as found:
        return sorted((row[0], row[1]) for row in found)


def test_key_time_is_the_newest_time_of_the_key_so_far(batch: TableEnvironment) -> None:
    early, late = "2024-10-28 04:00:00.000", "2024-10-28 04:00:01.000"
    found = placed(batch, ("A", late, 1), ("A", early, 1), ("B", early, 2), ("B", early, 2))
    assert found == [("A", early), ("A", late), ("B", early), ("B", early)]


def test_two_keys_of_one_number_end_the_run_and_are_named(batch: TableEnvironment) -> None:
    time = "2024-10-28 04:00:00.000"
    with pytest.raises(Exception, match="ASKNOWN-JOB-020 .* A and B|ASKNOWN-JOB-020 .* B and A"):
        placed(batch, ("A", time, 1), ("B", time, 1))


def test_numbers_of_a_hundred_thousand_keys_are_all_different(batch: TableEnvironment) -> None:
    digits = " CROSS JOIN ".join(f"(VALUES 0,1,2,3,4,5,6,7,8,9) AS d{n}(d{n})" for n in range(5))
    key = "CONCAT('XSIM:EQ:S', " + ", ".join(f"CAST(d{n} AS STRING)" for n in range(5)) + ")"
    question = f"SELECT COUNT(DISTINCT KEY_NUMBER({key})), COUNT(*) FROM {digits}"
    with batch.execute_sql(question).collect() as found:
        assert [tuple(row) for row in found] == [(100_000, 100_000)]
