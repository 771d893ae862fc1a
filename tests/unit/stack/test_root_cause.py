"""A trace of two hundred lines becomes the few that matter."""

from __future__ import annotations

from asknown.stack.root_cause import MAX_LINES, root_cause

PLANNING = """\
Traceback (most recent call last):
  File "/checkout/jobs/normalize/main.py", line 12, in <module>
    main()
  File "/checkout/jobs/normalize/main.py", line 9, in main
    pipeline.build(tables)
  File "/checkout/.venv/lib/python3.11/site-packages/pyflink/table.py", line 8, in q
    j_table = self._j_tenv.sqlQuery(query)
py4j.protocol.Py4JJavaError: An error occurred while calling o8.sqlQuery.
: org.apache.flink.table.api.ValidationException: SQL validation failed. Object 'nowhere' not found
\tat org.apache.flink.Planner.validate(FlinkPlannerImpl.scala:205)
Caused by: org.apache.calcite.sql.validate.SqlValidatorException: Object 'nowhere' not found
\tat java.base/jdk.internal.newInstance0(Native Method)
\t... 34 more

ERROR PythonDriver Run python process failed
org.apache.flink.client.program.ProgramAbortException: Python process exits with code: 1
\tat org.apache.flink.client.python.PythonDriver.main(PythonDriver.java:140)
Caused by: java.lang.RuntimeException: Python process exits with code: 1
\tat org.apache.flink.client.python.PythonDriver.main(PythonDriver.java:130)
"""


def test_planning_error_gives_our_frames_and_what_the_planner_said() -> None:
    assert root_cause(PLANNING) == [
        "jobs/normalize/main.py:12 <module>: main()",
        "jobs/normalize/main.py:9 main: pipeline.build(tables)",
        "ValidationException: SQL validation failed. Object 'nowhere' not found",
    ]


def test_python_error_gives_its_own_line() -> None:
    trace = (
        "Traceback (most recent call last):\n"
        '  File "/x/udfs/greeks.py", line 3, in delta\n'
        "    return 1 / 0\n"
        "ZeroDivisionError: division by zero\n"
        "\tat org.apache.beam.Worker.run(Worker.java:1)\n"
    )
    assert root_cause(trace) == [
        "udfs/greeks.py:3 delta: return 1 / 0",
        "ZeroDivisionError: division by zero",
    ]


def test_java_trace_gives_the_innermost_cause_with_its_whole_message() -> None:
    trace = (
        "org.apache.flink.runtime.JobException: Recovery is suppressed\n"
        "\tat a.b.C.d(C.java:1)\n"
        "Caused by: java.io.IOException: outer\n"
        "\tat a.b.C.d(C.java:2)\n"
        "Caused by: org.apache.kafka.common.errors.TimeoutException: Topic x not present\n"
        "after 60000 ms.\n"
        "\tat a.b.C.d(C.java:3)\n"
    )
    assert root_cause(trace) == ["TimeoutException: Topic x not present", "after 60000 ms."]


def test_java_trace_without_cause_gives_its_first_line() -> None:
    trace = "java.lang.ArithmeticException: / by zero\n\tat Calc$7.process(Unknown Source)\n"
    assert root_cause(trace) == ["ArithmeticException: / by zero"]


def test_text_without_any_trace_gives_its_first_lines() -> None:
    text = "\n".join(f"line {number}" for number in range(30))
    assert root_cause(text) == [f"line {number}" for number in range(MAX_LINES)]
    assert root_cause("") == []
