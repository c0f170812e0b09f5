"""The OpenAPI 3.1 document, made of the table of routes and the types it names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from tallybook.server.error import JSON, Failure
from tallybook.server.route import Route
from tallybook.version import __version__

_REF = "#/components/schemas/{name}"
_BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
_EMPTY = (204, 304, 307)
"""Statuses of answers without a body."""
_PLACES = re.compile(r"\{(\w+)(?::\w+)?\}")


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The whole document as plain data."""
    told = [type_ for route in routes for type_ in (route.body, route.answer, *(one for _, one in route.also))]
    types = [type_ for type_ in told if type_ not in (None, bytes)]
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
    body_fails = () if route.body is None else (400, 408, 413, 415)
    statuses = sorted({*route.may_fail, *body_fails, *(() if route.need == "none" else (401,)), 403, 500, 503})
    answers = _answers(route, known, statuses)
    operation: dict[str, Any] = {
        "operationId": _name(route),
        "summary": route.summary,
        "tags": [route.group],
        "parameters": _parameters(route),
        "responses": {str(status): answers[status] for status in sorted(answers)},
    }
    if route.about:
        operation["description"] = route.about
    if route.body is not None:
        schema = _BINARY if route.body is bytes else known[id(route.body)]
        content = {route.body_type: {"schema": schema}}
        content |= {media: {"schema": {} if media.endswith("json") else _BINARY} for media in route.more_body_types}
        operation["requestBody"] = {"required": True, "content": content}
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


def _answers(route: Route, known: dict[int, Any], statuses: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What each status means and holds: failures, the usual answer, and further ones."""
    failure: dict[str, Any] = {"$ref": "#/components/responses/Failure"}
    if route.failure is not None:
        forms: dict[str, Any] = {media: {} for media in (route.answer_type, *route.more_answer_types)}
        failure = {"description": "What went wrong, in the form of the protocol", "content": forms}
    answers = dict.fromkeys(statuses, failure)
    answers[route.status] = _answer(route, known)
    for status, type_ in route.also:
        schema = known[id(type_)]
        if status in answers:
            schema = {"anyOf": [known[id(route.answer if status == route.status else Failure)], schema]}
        answers[status] = {"description": route.summary, "content": {route.answer_type: {"schema": schema}}}
    return answers


def _answer(route: Route, known: dict[int, Any]) -> dict[str, Any]:
    if route.status in _EMPTY:
        return {"description": route.summary}
    if route.answer is None or route.answer is bytes:
        schema = {} if route.answer_type != JSON and route.answer is None else _BINARY
    else:
        schema = known[id(route.answer)]
    media = {route.answer_type: {"schema": schema}, **{one: {} for one in route.more_answer_types}}
    return {"description": route.summary, "content": media}
