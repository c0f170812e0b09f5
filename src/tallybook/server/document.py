"""`/openapi.json`, and `/docs`: the same as a page to read, without a script."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html import escape
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.server.context import Context
from tallybook.server.error import JSON
from tallybook.server.route import Route

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1.5rem}
h1{margin:0}h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}
nav a{margin-right:1rem}
details{border:1px solid var(--line);border-radius:.5rem;margin:.5rem 0;padding:.25rem .75rem}
summary{cursor:pointer;padding:.35rem 0}code,pre{font:14px/1.45 ui-monospace,monospace}
.method{display:inline-block;min-width:4.5rem;font-weight:700}
pre{background:var(--soft);padding:.75rem;border-radius:.4rem;overflow:auto}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .75rem .25rem 0;vertical-align:top}
td{border-top:1px solid var(--line)}
"""


@cache
def _document() -> dict[str, Any]:
    from tallybook.server.app import routes  # here, because the table names this module
    from tallybook.server.openapi import document

    return document(routes())


async def get_document(request: Request, context: Context) -> Response:
    """`GET /openapi.json`."""
    return Response(msgspec.json.encode(_document()), media_type=JSON, headers={"cache-control": "max-age=300"})


async def get_docs(request: Request, context: Context) -> Response:
    """`GET /docs`."""
    headers = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"}
    return Response("".join(_page(_document())), media_type="text/html; charset=utf-8", headers=headers)


def _page(document: dict[str, Any]) -> Iterator[str]:
    groups = [tag["name"] for tag in document["tags"]]
    yield "<!doctype html><html lang=en><meta charset=utf-8><title>Tallybook: HTTP interface</title>"
    yield "<meta name=viewport content='width=device-width,initial-scale=1'>"
    yield f"<style>{_STYLE}</style><h1>Tallybook</h1><p>HTTP interface, version {escape(document['info']['version'])}. "
    yield "As a document for programs: <a href=openapi.json>openapi.json</a>.</p><nav aria-label=Sections>"
    yield "".join(f"<a href='#{_anchor(name)}'>{escape(name)}</a>" for name in groups) + "</nav>"
    for name in groups:
        yield f"<h2 id='{_anchor(name)}'>{escape(name)}</h2>"
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if operation["tags"] == [name]:
                    yield from _operation(path, method, operation, document["components"]["schemas"])


def _operation(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    yield f"<details id='{operation['operationId']}'><summary><span class=method>{method.upper()}</span>"
    yield f"<code>{escape(path)}</code> {escape(operation['summary'])}</summary>"
    if "description" in operation:
        yield f"<p>{escape(operation['description'])}</p>"
    if operation["parameters"]:
        yield "<table><thead><tr><th>Parameter<th>Type<th>Meaning</thead><tbody>"
        for one in operation["parameters"]:
            kind = one["schema"].get("type", "")
            about = escape(one.get("description", "in the path"))
            yield f"<tr><td><code>{escape(one['name'])}</code><td>{kind}<td>{about}"
        yield "</tbody></table>"
    if "requestBody" in operation:
        (media, content), *_ = operation["requestBody"]["content"].items()
        yield f"<p>Body, <code>{escape(media)}</code>:</p>{_schema(content['schema'], schemas)}"
    for status, told in operation["responses"].items():
        for media, content in told.get("content", {}).items():
            yield f"<p>Answer {status}, <code>{escape(media)}</code>:</p>{_schema(content.get('schema', {}), schemas)}"
    yield "</details>"


def _schema(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    found = schemas.get(schema.get("$ref", "").rsplit("/", 1)[-1], schema)
    return f"<pre>{escape(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())}</pre>" if found else ""


def _anchor(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())


ROUTES = (
    Route("GET", "/openapi.json", get_document, "none", "This interface as an OpenAPI 3.1 document", "Operations",
          answer=dict[str, Any]),
    Route("GET", "/docs", get_docs, "none", "This interface as a page", "Operations", answer_type="text/html"),
)  # fmt: skip
