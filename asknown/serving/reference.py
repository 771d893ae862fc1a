"""The page at /docs: every endpoint and parameter, from the OpenAPI document.

Plain HTML, because FastAPI's own pages load their scripts from elsewhere: this one works offline.
"""

from __future__ import annotations

import json
from html import escape
from string import Template
from typing import Any

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>asknown API</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid #8884; padding: .3rem .6rem; text-align: left;
vertical-align: top }
pre { background: #8882; overflow-x: auto; padding: .8rem } h2 { margin-top: 2.5rem }
@media (prefers-color-scheme: dark) { body { background: #15181c; color: #dde1e6 }
a { color: #8ab4f8 } }
</style>
</head>
<body>
<h1>asknown API</h1>
<p>As data: <a href="/openapi.json">/openapi.json</a>. How it is: <a href="/">/</a>.</p>
<pre>$about</pre>
$operations
</body>
</html>
""")


def page(document: dict[str, Any]) -> str:
    """Return the page for an OpenAPI document."""
    operations = [
        _operation(method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    about = escape(document["info"].get("description", "").strip())
    return _PAGE.substitute(about=about, operations="\n".join(operations))


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = "".join(_parameter(parameter) for parameter in operation.get("parameters", []))
    table = f"<table><tr><th>parameter<th>default<th>meaning</tr>{rows}</table>" if rows else ""
    answers = "".join(
        f"<tr><td>{escape(status)}<td>{escape(answer['description'])}</tr>"
        for status, answer in operation["responses"].items()
    )
    return (
        f"<h2><code>{method} {escape(path)}</code></h2>"
        f"<p>{escape(operation.get('description', ''))}</p>{table}"
        f"<table><tr><th>status<th>answer</tr>{answers}</table>{_example(operation)}"
    )


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter.get("schema", {})
    default = "required" if parameter.get("required") else _shown(schema.get("default"))
    text = parameter.get("description") or schema.get("description") or ""
    choices = schema.get("enum")
    text += f" One of: {', '.join(map(str, choices))}." if choices else ""
    name = escape(parameter["name"])
    return f"<tr><td><code>{name}</code><td>{escape(default)}<td>{escape(text)}</tr>"


def _shown(default: Any) -> str:
    return "" if default in (None, [], "") else str(default)


def _example(operation: dict[str, Any]) -> str:
    content = operation["responses"].get("200", {}).get("content", {})
    example = content.get("application/json", {}).get("example")
    return f"<pre>{escape(json.dumps(example, indent=1))}</pre>" if example else ""
