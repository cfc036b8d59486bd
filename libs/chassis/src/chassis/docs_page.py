"""The interface of a service as a page for people, made from its OpenAPI document; it needs nothing from outside."""

import json
import re
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


INTRO = """
<p>Machines read the same in <a href="/openapi.json">/openapi.json</a>. Every call needs a bearer token; every POST a
JSON body and an <code>Idempotency-Key</code>; a change to an existing object <code>If-Match</code> with the
<code>ETag</code> of its last answer. A list answers with <code>items</code>, and <code>next</code> while there is
more. A refusal is a problem (RFC 9457), whose <code>type</code> is the address of a page about it.</p>
"""


def page(document: Mapping[str, Any]) -> str:
    """The whole page."""
    title = escape(document["info"]["title"])
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return f"{head}<h1>{title}</h1>{INTRO}{''.join(_sections(document))}</html>"


def _sections(document: Mapping[str, Any]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            made = _operation(method, path, operation, document)
            groups.setdefault(operation.get("tags", ["other"])[0], []).append(made)
    for tag, operations in groups.items():
        yield f"<h2>{escape(tag.replace('-', ' '))}</h2>{''.join(operations)}"


def _operation(method: str, path: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    line = f'<b class="{method}">{method.upper()}</b> <code>{escape(path)}</code>'
    summary = f'<summary>{line} <span class="say">{escape(operation.get("summary", ""))}</span></summary>'
    said = f"<p>{_marked(operation.get('description', ''))}</p>"
    parts = f"{_parameters(operation, document)}{_body(operation)}{_answer(operation, document)}"
    return f"<details>{summary}{said}{parts}</details>"


def _parameters(operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<li><code>{escape(each['name'])}</code> ({each['in']}) {_marked(each.get('description', ''))}"
        f"{_values(each['schema'], document)}</li>"
        for each in (_resolved(each, document) for each in operation.get("parameters", ()))
    )
    return f"<ul>{rows}</ul>" if rows else ""


def _values(schema: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """What may be given: the choices or the range, and the default."""
    of = _resolved(schema.get("items", schema), document)
    choices = ", ".join(f"<code>{escape(str(each))}</code>" for each in of.get("enum", ()))
    limits = f"{of['minimum']} to {of['maximum']}" if {"minimum", "maximum"} <= of.keys() else ""
    default = f"default <code>{escape(str(schema['default']))}</code>" if "default" in schema else ""
    said = "; ".join(part for part in (choices, limits, default) if part)
    return f' <span class="say">{said}</span>' if said else ""


def _body(operation: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    example = content.get("example", content.get("schema", {}).get("example"))
    return f"<pre>{escape(json.dumps(example, indent=2, ensure_ascii=False))}</pre>" if example is not None else ""


def _answer(operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """The good answer and its members; those of an item, where it is a page of items."""
    status, response = next(iter(operation["responses"].items()))
    members = _members(response, document)
    return f"<p>Answers {status}" + (f" with {members}" if members else "") + ".</p>"


def _members(response: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    content = response.get("content", {}).get("application/json", {})
    members = _resolved(content.get("schema", {}), document).get("properties", {})
    if members.keys() == {"items", "next"}:
        item = _resolved(members["items"].get("items", {}), document)
        return f"<code>next</code> and <code>items</code>, each with {_names(item.get('properties', {}))}"
    return _names(members)


def _names(members: Mapping[str, Any]) -> str:
    return ", ".join(f"<code>{escape(name)}</code>" for name in members)


def _resolved(part: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a `$ref` within the document stands for."""
    found: Any = document
    for step in part["$ref"].removeprefix("#/").split("/") if "$ref" in part else ():
        found = found[step]
    return part if found is document else found


def _marked(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
