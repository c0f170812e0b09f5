"""The OpenAPI 3.1 document, made of the table of routes and the types it names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from tallybook.server.error import Failure
from tallybook.server.route import Route
from tallybook.version import __version__

_REF = "#/components/schemas/{name}"
_PLACES = re.compile(r"\{(\w+)(?::\w+)?\}")


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The whole document as plain data."""
    types = [type_ for route in routes for type_ in (route.body, route.answer) if type_ not in (None, bytes)]
    schemas, components = msgspec.json.schema_components([*types, Failure], ref_template=_REF)
    known = {id(type_): schema for type_, schema in zip([*types, Failure], schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = _PLACES.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, known)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tallybook",
            "version": __version__,
            "summary": "The ledger of model calls",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": group} for group in dict.fromkeys(route.group for route in routes)],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {"Failure": {"description": "What went wrong and how to mend it",
                                      "content": {"application/json": {"schema": known[id(Failure)]}}}},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"},
                                "basic": {"type": "http", "scheme": "basic"},
                                "header": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
        },
    }  # fmt: skip


def _operation(route: Route, known: dict[int, Any]) -> dict[str, Any]:
    statuses = sorted({*route.may_fail, *(() if route.need == "none" else (401, 403)), 500, 503})
    failure = {"$ref": "#/components/responses/Failure"}
    operation: dict[str, Any] = {
        "operationId": _name(route),
        "summary": route.summary,
        "tags": [route.group],
        "parameters": _parameters(route),
        "responses": {
            str(route.status): _content(route.summary, route.answer_type, route.answer, known),
            **{str(status): failure for status in statuses if status != route.status},
        },
    }
    if route.about:
        operation["description"] = route.about
    if route.body is not None:
        schema = {} if route.body is bytes else known[id(route.body)]
        operation["requestBody"] = {"required": True, "content": {route.body_type: {"schema": schema}}}
    operation["security"] = [] if route.need == "none" else [{"bearer": []}, {"basic": []}, {"header": []}, {}]
    return operation


def _name(route: Route) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", route.path.replace("-", "")).strip("_")
    return f"{route.method.lower()}_{words}"


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PLACES.findall(route.path)
    ]
    for param in route.params:
        schema: dict[str, Any] = {"type": param.kind}
        if param.many:
            schema = {"type": "array", "items": schema}
        one = {"name": param.name, "in": "query", "description": param.about, "schema": schema}
        if param.example is not None:
            one["example"] = param.example
        found.append(one)
    return found


def _content(summary: str, media_type: str, type_: Any, known: dict[int, Any]) -> dict[str, Any]:
    schema = {} if type_ is None or type_ is bytes else known[id(type_)]
    return {"description": summary, "content": {media_type: {"schema": schema}}}
