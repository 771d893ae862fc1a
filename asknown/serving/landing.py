"""The page at /: what there is, and how it is."""

from __future__ import annotations

from html import escape
from string import Template
from typing import Any

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="10">
<title>asknown</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; width: 100% }
th, td { border-bottom: 1px solid #8884; padding: .3rem .6rem; text-align: left }
td.number { text-align: right; font-variant-numeric: tabular-nums }
code { font-size: .92em } .ok { color: #17803d } .unavailable { color: #b91c1c }
@media (prefers-color-scheme: dark) { body { background: #15181c; color: #dde1e6 }
a { color: #8ab4f8 } .ok { color: #4ade80 } .unavailable { color: #f87171 } }
</style>
</head>
<body>
<h1>asknown</h1>
<p>Market data as it is now and as it was known then. ClickHouse is
<b class="$status">$state</b> ($time; reloads every 10 s).</p>
<h2>Data</h2>
<table><tr><th>dataset<th>rows<th>first<th>last<th>newest ingested</tr>$rows</table>
<h2>Try</h2>
<table>$links</table>
<p>As it happens: a WebSocket at <code>/v1/stream</code>, or <code>asknown watch MSFT</code>.</p>
</body>
</html>
""")
_LINKS = (
    ("/docs", "every endpoint, with examples"),
    ("/v1/datasets", "what is served, with columns and coverage"),
    ("/v1/instruments/resolve?symbol=AAPL", "who a symbol is"),
    ("/v1/bars?symbols=AAPL&interval=1d&start=2013-01-01&adjust=all", "adjusted daily bars"),
    ("/v1/trades?symbols=SYM01&start=2024-10-28&limit=10", "trades"),
    ("/healthz", "health as JSON"),
    ("/metrics", "metrics for Prometheus"),
)


def page(health: dict[str, Any], flink_url: str) -> str:
    """Return the page for a report of `Health`."""
    rows = "".join(_row(name, data) for name, data in health.get("data", {}).items())
    links = [*_LINKS, (flink_url, "Flink: jobs, checkpoints, backpressure")]
    return _PAGE.substitute(
        status=escape(health["status"]),
        state="answering" if health["status"] == "ok" else "not answering",
        time=escape(health["time"]),
        rows=rows or '<tr><td colspan="5">nothing to show</tr>',
        links="".join(
            f'<tr><td><a href="{escape(url)}"><code>{escape(url)}</code></a><td>{escape(text)}</tr>'
            for url, text in links
        ),
    )


def _row(name: str, data: dict[str, Any]) -> str:
    cells = (data["first_time"], data["last_time"], data["newest_ingest_time"])
    times = "".join(f"<td>{escape(cell or '-')}" for cell in cells)
    return f'<tr><td>{escape(name)}<td class="number">{data["rows"]:,}{times}</tr>'
