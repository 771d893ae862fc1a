"""What a person needs of a stack trace: the innermost cause and our own Python frames."""

from __future__ import annotations

import re

MAX_LINES = 8
_CAUSE = re.compile(r"^\s*Caused by: (?P<text>.+)$")
_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)')
_PYTHON_ERROR = re.compile(r"^(?:[A-Za-z_][\w.]*)(?:Error|Exception|Interrupt|Exit)\b.*$")
_OURS = re.compile(r"(?:^|/)(?P<path>(?:jobs|asknown|udfs|bench|tests)/\S+)$")
_THEIRS = re.compile(r"site-packages|/lib/python3|^<")
_GATEWAY = re.compile(r"^: (?P<text>\S+.*)$")  # how py4j introduces the Java exception
# Says only that something failed, of which the trace tells more elsewhere.
_EMPTY = re.compile(
    r"Python process exits with code|Py4JJavaError: An error occurred while calling"
)
_END = ("... ", "at ", "Suppressed:")


def root_cause(trace: str) -> list[str]:
    """Return at most eight lines that explain a trace.

    Our own Python frames first, outermost to innermost, then the Python error, then the innermost
    "Caused by" of Java with the lines of its message. A trace without any of them gives its first
    lines.
    """
    lines = trace.splitlines()
    found = [*_python(lines), *_java(lines)] or _outermost(lines)
    if not found:
        found = [line.strip() for line in lines if line.strip()]
    return list(dict.fromkeys(found))[:MAX_LINES]


def _python(lines: list[str]) -> list[str]:
    """Return our frames and the error of the last Python traceback."""
    starts = [i for i, line in enumerate(lines) if "Traceback (most recent call last)" in line]
    if not starts:
        return []
    frames: list[str] = []
    error: list[str] = []
    for number, line in enumerate(lines[starts[-1] :], start=starts[-1]):
        frame = _FRAME.match(line)
        if frame and not _THEIRS.search(frame["file"]):
            ours = _OURS.search(frame["file"])
            file = ours["path"] if ours else frame["file"].rpartition("/")[2]
            source = _source(lines, number + 1)
            frames.append(f"{file}:{frame['line']} {frame['function']}: {source}")
        elif not frame and _PYTHON_ERROR.match(line):
            error = [] if _EMPTY.search(line) else [line.strip()]
            break
    return [*frames[-4:], *error]


def _source(lines: list[str], index: int) -> str:
    """Return the line of code a traceback shows below a frame, if it does."""
    if index < len(lines) and not _FRAME.match(lines[index]):
        return lines[index].strip()
    return ""


def _java(lines: list[str]) -> list[str]:
    """Return what the gateway was told, and the innermost cause with the rest of its message."""
    said = [_shorten(match["text"]) for line in lines if (match := _GATEWAY.match(line))][-1:]
    causes = [
        (number, match["text"])
        for number, line in enumerate(lines)
        if (match := _CAUSE.match(line)) and not _EMPTY.search(line)
    ]
    if not causes:
        return said
    number, text = causes[-1]
    found = [_shorten(text)]
    for line in lines[number + 1 :]:
        if not line.strip() or line.strip().startswith(_END):
            break
        found.append(line.strip())
    message = found[0].partition(": ")[2]
    if said and message and message in said[0]:
        return said
    return [*said, *found[:5]]


def _outermost(lines: list[str]) -> list[str]:
    """Return the first line of a Java trace without causes; nothing when it is no Java trace."""
    if not any(line.lstrip().startswith("at ") for line in lines):
        return []
    useful = [line.strip() for line in lines if line.strip() and not _EMPTY.search(line)]
    return [_shorten(useful[0])] if useful else []


def _shorten(text: str, limit: int = 400) -> str:
    """Drop the package of the exception and cut what no line can hold."""
    name, separator, message = text.partition(": ")
    short = name.rpartition(".")[2] + separator + message if " " not in name else text
    return short if len(short) <= limit else f"{short[:limit]}..."
