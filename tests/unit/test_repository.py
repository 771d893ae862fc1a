"""What holds for every file of the repository: layering that imports cannot show, sizes, no traces.

Imports themselves are checked by import-linter (pyproject.toml).
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from asknown.settings import CHECKOUT

MODULE_LINES = 400
FUNCTION_LINES = 60
MAIN_LINES = 40

# Written in pieces, so that this file does not contain what it looks for.
HOSTS = (
    "pypi" + ".org",
    "python" + "hosted",
    "repo1." + "maven",
    "repo." + "maven",
    "npm" + "js.org",
)
FOREIGN = {
    "a folder of one machine": re.compile(
        r"(?<![\w.])/(?:" + "|".join(("work", "home")) + r"/\w|root/)"
    ),
    "the address of a package registry": re.compile("|".join(re.escape(host) for host in HOSTS)),
    "an index option": re.compile("--(?:extra-)?" + "index" + "-url"),
    "unfinished work": re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME")) + r")\b"),
}
CONNECTOR = re.compile(r"\b(?:Kafka|Iceberg|connector|bootstrap|properties\.|catalog-impl)\b", re.I)


def files(*suffixes: str) -> list[Path]:
    """Return the files of the checkout that git tracks, or would."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        check=False,
        text=True,
    )
    if listed.returncode != 0:
        pytest.skip(f"expected a git checkout, found none: {listed.stderr.strip()}")
    paths = [CHECKOUT / name for name in listed.stdout.split("\0") if name]
    return sorted(p for p in paths if p.is_file() and (not suffixes or p.suffix in suffixes))


def name(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


def text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace")


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def literals(path: Path) -> Iterator[str]:
    """Yield the string constants of a module that are not docstrings."""
    tree = ast.parse(text(path))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in docstrings:
            continue
        if isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("what", FOREIGN)
def test_tracked_file_holds_nothing_of_one_machine(what: str) -> None:
    found = [
        f"{name(path)}:{number}: {line.strip()[:80]}"
        for path in files()
        for number, line in enumerate(text(path).splitlines(), start=1)
        if FOREIGN[what].search(line)
    ]
    assert found == []


def test_module_is_short_enough_to_be_read_at_once() -> None:
    lines = {name(path): text(path).count("\n") for path in files(".py", ".java")}
    assert lines
    assert {path: count for path, count in lines.items() if count >= MODULE_LINES} == {}


def test_function_is_short_enough_to_be_read_at_once() -> None:
    long = {
        f"{name(path)}: {function.name}": length
        for path in files(".py")
        for function in functions(path)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    }
    assert long == {}


def test_test_asserts_something() -> None:
    tests = [
        (path, function)
        for path in files(".py")
        if path.name.startswith("test_")
        for function in functions(path)
        if function.name.startswith("test_")
    ]
    silent = [f"{name(path)}: {function.name}" for path, function in tests if not asserts(function)]
    assert tests
    assert silent == []


def asserts(function: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Assert) or (isinstance(node, ast.Attribute) and node.attr == "raises")
        for node in ast.walk(function)
    )


def test_pipeline_names_no_connector() -> None:
    pipelines = [p for p in files(".py") if name(p).startswith("jobs/") and p.name != "main.py"]
    found = [
        f"{name(path)}: {literal[:60]}"
        for path in pipelines
        if "runtime" not in path.parts
        for literal in literals(path)
        if CONNECTOR.search(literal)
    ]
    assert len(pipelines) > 4
    assert found == []


def test_query_names_no_connector() -> None:
    whole = {"clickhouse", "trino"}  # folders of which every file is run
    queries = [p for p in files(".sql") if not whole & set(p.parts)]
    statements = {name(p): re.sub(r"--.*", "", text(p)) for p in queries}
    assert statements
    assert [path for path, sql in statements.items() if CONNECTOR.search(sql)] == []


def test_serving_reads_neither_raw_nor_bronze() -> None:
    modules = [p for p in files(".py") if name(p).startswith("asknown/serving/")]
    found = [
        f"{name(path)}: {literal[:60]}"
        for path in modules
        for literal in literals(path)
        if re.search(r"\b(?:raw|bronze)\.\w", literal)
    ]
    assert modules
    assert found == []


def test_main_of_a_job_is_wiring_only() -> None:
    mains = [p for p in files(".py") if re.fullmatch(r"jobs/\w+/main\.py", name(p))]
    assert {name(p) for p in mains} >= {
        f"jobs/{j}/main.py" for j in ("normalize", "derive", "lake")
    }
    assert {name(p): n for p in mains if (n := text(p).count("\n")) > MAIN_LINES} == {}


def test_query_is_used_by_a_job_or_an_audit() -> None:
    users = ("jobs/", "asknown/storage/", "asknown/research/")
    code = "".join(text(p) for p in files(".py") if name(p).startswith(users))
    whole = {"clickhouse", "trino"}  # folders of which every file is run
    queries = [p for p in files(".sql") if not whole & set(p.parts)]
    unused = [name(p) for p in queries if f"{p.parent.name}/{p.name}" not in code]
    assert unused == []


def test_page_links_to_files_that_exist() -> None:
    pages = files(".md")
    links = [
        (page, target.partition("#")[0])
        for page in pages
        for target in re.findall(r"\]\(([^)\s]+)\)", text(page))
        if "://" not in target
    ]
    broken = [f"{name(page)}: {to}" for page, to in links if not (page.parent / to).exists()]
    assert links
    assert broken == []
