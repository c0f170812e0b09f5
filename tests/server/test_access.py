"""Who may do what, walked over every route there is: a new one is covered the day it is added."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.server.conftest import Reply, Running, Start
from tests.server.test_app import key
from tests.server.test_usage_post import LOG

from tallybook.server.app import routes
from tallybook.server.route import Route

OWN, OTHER = "own-project", "other-project"
SECRET = "only-in-the-other-project"
PUBLIC = {"/healthz", "/readyz", "/", "/docs", "/openapi.json"}
"""What needs no key. Further ones must be added here on purpose."""
WHOLE = {"/metrics": "read", "/api/v1/doctor": "admin", "/api/v1/settings": "admin"}
"""What is of all projects and refused to a key of one, with the role that is told."""


@pytest.fixture
def closed(start: Start, tmp_path: Any) -> tuple[Running, dict[str, str]]:
    """A server with records of two projects and a key of every kind."""
    folder = tmp_path / "ledger"
    texts = {
        f"{role}{'' if project is None else '-own'}": key(folder, role, project).text
        for role in ("ingest", "read", "admin") for project in (None, OWN)
    }  # fmt: skip
    server = start(folder, is_open=False, any_project=True)
    for project, model, session in ((OWN, "gpt-4o", "own-session"), (OTHER, SECRET, f"{SECRET}-session")):
        record = {**LOG, "project_id": project, "model": model, "session_id": session, "user_id": f"{project}-user",
                  "operation": f"{model}-operation", "tool_calls_json": json.dumps([{"name": f"{model}-tool"}]),
                  "error": f"{model}-error"}  # fmt: skip
        reply = server.ask("POST", "/api/ai-usage", [record] * 3, bearer(texts["ingest"]))
        assert reply.status == 201
    for name in (OWN, OTHER):
        told = SECRET if name == OTHER else "own"
        run = {"run_id": f"{told}-run", "name": f"{told}-name", "description": told, "project": name, "tags": [told]}
        task = {"task_id": f"{told}-task", "request_data": {"text": f"{told}-request"}}
        message = {"id": f"{told}-message", "role": "user", "content": f"{told}-content"}
        for path, body in (("", run), (f"/{told}-run/tasks", task), (f"/{told}-run/messages", message)):
            reply = server.ask("POST", f"/api/v1/runs{path}", body, bearer(texts["admin"]))
            assert reply.status in (200, 201), reply.body
    return server, texts


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def asked(server: Running, route: Route, headers: dict[str, str], query: str = "", place: str = "x") -> Reply:
    path = re.sub(r"\{[^}]+\}", place, route.path) + query
    body = b"{}" if route.body is not None else None
    return server.ask(route.method, path, body, {"content-type": route.body_type, **headers}, timeout=10)


def is_stream(route: Route) -> bool:
    return route.answer_type == "text/event-stream"


def test_every_route_says_what_it_needs_and_few_need_nothing() -> None:
    assert {route.path for route in routes() if route.need == "none"} <= PUBLIC | {
        route.path for route in routes() if route.path.startswith(("/assets/", "/s/"))  # Links that were shared.
        or route.path in ("/api/public/health",) or route.group == "Pages"
    }  # fmt: skip


def test_without_a_key_or_with_a_wrong_or_revoked_one_no_route_is_open(
    closed: tuple[Running, dict[str, str]],
) -> None:
    server, texts = closed
    made = server.ask("POST", "/api/v1/keys", {"role": "admin"}, bearer(texts["admin"])).json()
    assert server.ask("DELETE", f"/api/v1/keys/{made['key_id']}", headers=bearer(texts["admin"])).status == 204
    changed = texts["admin"][:-1] + ("0" if texts["admin"][-1] != "0" else "1")
    for headers in ({}, bearer(changed), bearer(made["key"]), bearer(texts["admin"].upper()), bearer("")):
        for route in routes():
            if route.need != "none":
                assert asked(server, route, headers).status == 401, (route.method, route.path)


def test_an_ingest_key_reads_nothing_and_rules_nothing(closed: tuple[Running, dict[str, str]]) -> None:
    server, texts = closed
    for name in ("ingest", "ingest-own"):
        for route in routes():
            if route.need in ("read", "admin"):
                reply = asked(server, route, bearer(texts[name]))
                assert reply.status == 403, (route.method, route.path)
                assert SECRET not in reply.body.decode()


def test_a_read_key_writes_nothing_and_rules_nothing(closed: tuple[Running, dict[str, str]]) -> None:
    server, texts = closed
    for name in ("read", "read-own"):
        for route in routes():
            if route.need in ("ingest", "admin"):
                assert asked(server, route, bearer(texts[name])).status == 403, (route.method, route.path)


_ECHOED = r'"filters":\[.*?\]|"(chatId|userId|messageId)":"[^"]*"'


def queries(route: Route) -> Iterator[str]:
    """Ways to ask for more than one's own."""
    yield ""
    names = {param.name for param in route.params}
    for name in sorted(names & {"project", "projectId", "project_id"}):
        yield f"?{name}={OTHER}"
        yield f"?{name}={OWN}&{name}={OTHER}"
    for name, value in (("by", "project"), ("group_by", "project"), ("dimensions", "project"), ("dimension", "project"),
                        ("session", f"{SECRET}-session"), ("session_id", f"{SECRET}-session"),
                        ("chatId", f"{SECRET}-session"), ("userId", f"{OTHER}-user"), ("user", f"{OTHER}-user"),
                        ("model", SECRET), ("q", SECRET), ("text", SECRET), ("search", SECRET),
                        ("query", "select * from calls"), ("sql", "select * from calls")):  # fmt: skip
        if name in names:
            yield f"?{name}={value.replace(' ', '%20')}"


def test_a_key_of_one_project_reads_nothing_of_another_however_it_asks(
    closed: tuple[Running, dict[str, str]],
) -> None:
    server, texts = closed
    others = [call["id"] for call in of_other(server, texts)]
    for route in routes():
        if route.need != "read" or is_stream(route):
            continue
        for query in queries(route):
            for place in ("x", OTHER, *(f"{SECRET}-{what}" for what in ("session", "run", "task")), *others[:1]):
                reply = asked(server, route, bearer(texts["read-own"]), query, place)
                # What was asked for is echoed, and is no news to who asked.
                told = re.sub(_ECHOED, "", reply.body.decode(errors="replace"))
                assert reply.status < 500, (route.path, query, told[:500])
                if reply.status < 400:
                    assert SECRET not in told.replace(place, ""), (route.path, query, place)
                    assert OTHER not in told.replace(place, ""), (route.path, query, place)
                if "{" not in route.path:
                    break


IDS = {"run_id": f"{SECRET}-run", "task_id": f"{SECRET}-task", "message_id": f"{SECRET}-message"}
CHANGES: dict[str, Any] = {"name": "taken over", "content": "taken over", "response_text": "taken over", "tags": []}


def test_a_key_of_one_project_changes_nothing_of_another_however_it_tries(
    closed: tuple[Running, dict[str, str]],
) -> None:
    server, texts = closed
    seen = [f"/api/v1/runs/{IDS['run_id']}{rest}" for rest in ("", "/tasks", "/messages", "/share")]
    before = [server.ask("GET", path, headers=bearer(texts["admin"])).json() for path in seen]
    assert before[1]["tasks"] and before[2]["messages"]
    tried = 0
    for route in routes():
        if route.method == "GET" or ("{run_id}" not in route.path and "{task_id}" not in route.path):
            continue
        for name in ("ingest-own", "admin-own"):
            if route.need == "admin" and name == "ingest-own":
                continue
            fields = getattr(route.body, "__struct_fields__", ())
            body = {key: value for key, value in CHANGES.items() if key in fields} or None
            path = re.sub(r"\{(\w+)[^}]*\}", lambda found: IDS.get(found[1], "x"), route.path)
            reply = server.ask(route.method, path, body, bearer(texts[name]))
            assert reply.status in (400, 404), (route.method, path, reply.status, reply.body)
            tried += 1
    assert tried > 10
    for path in ("/api/v1/runs", "/api/v1/tasks"):  # By ids that somebody else gave.
        body = {"run_id": IDS["run_id"], "task_id": IDS["task_id"], "name": "taken over", "response_text": "taken over"}
        reply = server.ask("POST", path, body, bearer(texts["ingest-own"]))
        assert reply.status >= 400 or SECRET not in str(reply.json()).replace(IDS["run_id"], ""), (path, reply.body)
    after = [server.ask("GET", path, headers=bearer(texts["admin"])).json() for path in seen]
    assert after == before


def of_other(server: Running, texts: dict[str, str]) -> list[dict[str, str]]:
    reply = server.ask(
        "POST", "/api/ai-usage", [{**LOG, "project_id": OTHER, "model": SECRET}], bearer(texts["ingest"])
    )
    return list(reply.json()["results"])


def test_the_walk_would_notice_a_route_that_tells_too_much(closed: tuple[Running, dict[str, str]]) -> None:
    """With a key of all projects, the same routes do tell of the other project."""
    server, texts = closed
    seen = [
        route.path for route in routes() if route.need == "read" and not is_stream(route) and "{" not in route.path
        and OTHER in asked(server, route, bearer(texts["read"])).body.decode(errors="replace")
    ]  # fmt: skip
    assert "/api/v1/projects" in seen


def test_figures_of_all_projects_are_refused_to_a_key_of_one(closed: tuple[Running, dict[str, str]]) -> None:
    server, texts = closed
    for path, role in WHOLE.items():
        reply = server.ask("GET", path, headers=bearer(texts[f"{role}-own"]))
        assert (reply.status, reply.json()["error"]["code"]) == (403, "forbidden_project")
        assert server.ask("GET", path, headers=bearer(texts[role])).status == 200


def test_a_key_of_one_project_rules_nothing_beyond_it(closed: tuple[Running, dict[str, str]]) -> None:
    server, texts = closed
    as_own = bearer(texts["admin-own"])
    assert server.ask("POST", "/api/v1/keys", {"role": "admin"}, as_own).status == 403
    assert server.ask("POST", "/api/v1/keys", {"role": "read", "project": OTHER}, as_own).status == 403
    made = server.ask("POST", "/api/v1/keys", {"role": "read", "project": OWN}, as_own)
    assert made.status == 201 and made.json()["project"] == OWN
    listed = server.ask("GET", "/api/v1/keys", headers=as_own).json()["keys"]
    assert listed and {one["project"] for one in listed} == {OWN}
    every = server.ask("GET", "/api/v1/keys", headers=bearer(texts["admin"])).json()["keys"]
    foreign = next(one["key_id"] for one in every if one["project"] is None)
    assert server.ask("DELETE", f"/api/v1/keys/{foreign}", headers=as_own).status == 404
    assert server.ask("DELETE", f"/api/v1/keys/{made.json()['key_id']}", headers=as_own).status == 204
    assert server.ask("POST", "/api/v1/projects", {"project": "third"}, as_own).status == 403


def test_every_route_refuses_a_name_that_is_not_the_servers_and_a_page_of_another_site(server: Running) -> None:
    for route in routes():
        reply = asked(server, route, {"host": "evil.example"})
        assert (reply.status, "evil.example" in reply.body.decode()) == (403, True), route.path
        page = {"origin": "https://evil.example", "host": f"127.0.0.1:{server.port}"}
        if not is_stream(route):  # Which would not end; browsers go by the answer's headers there too.
            reply = asked(server, route, page, place="embed.js")  # Which is a file of the pages, and nothing else.
            assert reply.headers.get("access-control-allow-origin") == ("*" if route.is_for_all else None), route.path
            assert route.method == "GET" or reply.status == 403, route.path
        asking = {**page, "access-control-request-method": route.method}
        assert server.ask("OPTIONS", re.sub(r"\{[^}]+\}", "x", route.path), headers=asking).status == 403, route.path


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1.evil.example", "localhost.evil.example", "evil.example#127.0.0.1", "127.0.0.1@evil.example",
        "[::1].evil.example", "evil.example:127", "%00", "a b",
    ],
)  # fmt: skip
def test_names_that_only_look_like_the_servers_are_refused(server: Running, host: str) -> None:
    assert server.get("/healthz", host=host).status in (400, 403)


def test_no_key_is_ever_in_the_log(closed: tuple[Running, dict[str, str]], caplog: Any) -> None:
    server, texts = closed
    with caplog.at_level("DEBUG"):
        for route in routes():
            if not is_stream(route):
                for text in texts.values():
                    asked(server, route, {**bearer(text), "x-api-key": text})
        server.ask("GET", f"/nowhere?api_key={texts['read']}", headers=bearer(texts["read"]))
    said = caplog.text + json.dumps(server.get("/healthz").json())
    assert [text for text in texts.values() if text.rsplit("_", 1)[1] in said] == []


def test_keys_are_known_with_the_first_request_and_gone_with_the_next_after_their_end(
    closed: tuple[Running, dict[str, str]], start: Start
) -> None:
    server, texts = closed
    again = start(server.context.settings.folder, is_open=False)
    assert again.ask("GET", "/api/v1/projects", headers=bearer(texts["read"])).status == 200
    shown = server.ask("GET", "/api/v1/keys", headers=bearer(texts["admin"])).json()["keys"]
    key_id = texts["read"].split("_")[2]
    assert key_id in {one["key_id"] for one in shown}
    assert server.ask("DELETE", f"/api/v1/keys/{key_id}", headers=bearer(texts["admin"])).status == 204
    assert server.ask("GET", "/api/v1/projects", headers=bearer(texts["read"])).status == 401
    end = time.monotonic() + 5
    while again.ask("GET", "/api/v1/projects", headers=bearer(texts["read"])).status != 401:
        assert time.monotonic() < end, "another process's server notices within two seconds"
        time.sleep(0.1)
