"""The interface of a service as a page for people, made from its OpenAPI document; it needs nothing from outside."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1d2733 }
h2 { border-bottom: 1px solid #d5dce4; margin-top: 2.5rem; text-transform: capitalize }
summary { cursor: pointer; padding: .35rem 0 }
summary b { display: inline-block; width: 3.5rem; font-size: .8rem }
b.post { color: #9a4b00 } b.get { color: #00639a }
code, pre { font: 14px/1.45 ui-monospace, monospace } pre { background: #f4f6f8; padding: .8rem; overflow: auto }
.say { color: #5a6876 }
"""


def page(document: Mapping[str, Any]) -> str:
    """The whole page."""
    title = escape(document["info"]["title"])
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    intro = (
        '<p>Machines read the same in <a href="/openapi.json">/openapi.json</a>. Every call needs a bearer token.</p>'
    )
    return f"{head}<h1>{title}</h1>{intro}{''.join(_sections(document))}</html>"


def _sections(document: Mapping[str, Any]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups.setdefault(operation.get("tags", ["other"])[0], []).append(_operation(method, path, operation))
    for tag, operations in groups.items():
        yield f"<h2>{escape(tag.replace('-', ' '))}</h2>{''.join(operations)}"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    line = f'<b class="{method}">{method.upper()}</b> <code>{escape(path)}</code>'
    summary = f'<summary>{line} <span class="say">{escape(operation.get("summary", ""))}</span></summary>'
    said = f"<p>{escape(operation.get('description', ''))}</p>"
    return f"<details>{summary}{said}{_parameters(operation)}{_body(operation)}</details>"


def _parameters(operation: Mapping[str, Any]) -> str:
    named = [each for each in operation.get("parameters", ()) if "name" in each]
    rows = "".join(
        f"<li><code>{escape(each['name'])}</code> ({each['in']}) {escape(each.get('description', ''))}</li>"
        for each in named
    )
    return f"<ul>{rows}</ul>" if rows else ""


def _body(operation: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    example = content.get("example", content.get("schema", {}).get("example"))
    return f"<pre>{escape(json.dumps(example, indent=2, ensure_ascii=False))}</pre>" if example is not None else ""
