"""A page's token opens the usage that it names, and at every other route nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.server.conftest import Running, Start
from tests.server.test_tree import known

from tallybook.access import token as tokens
from tallybook.access.key import make, revoke
from tallybook.server.app import routes


def record(server: Running, **fields: Any) -> None:
    log = {"operation": "chat", "model": "gpt-4o", "provider": "openai", "input_tokens": 10, "output_tokens": 5}
    assert server.post("/api/ai-usage", log | fields).status == 201


@pytest.fixture
def server(start: Start) -> Running:
    one = start(any_project=True)
    record(one, chat_id="c-1", user_id="ada", project_id="shop", message_id="m-1")
    record(one, chat_id="c-2", user_id="bob", project_id="shop", message_id="m-2")
    record(one, chat_id="c-1", user_id="ada", project_id="other", message_id="m-3")
    return one


def token(server: Running, key: str | None = None, **scope: Any) -> dict[str, str]:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    made = server.ask("POST", "/api/v1/tokens", scope, headers)
    assert made.status == 201, made.body
    return {"authorization": f"Bearer {made.json()['token']}"}


def count(server: Running, query: str, headers: dict[str, str]) -> Any:
    reply = server.ask("GET", f"/api/token-usage?{query}", headers=headers)
    return reply.json()["messageCount"] if reply.status == 200 else reply.status


def test_a_token_opens_what_it_names_and_nothing_beside(server: Running) -> None:
    of_chat, of_user = token(server, chat="c-1"), token(server, user="bob")
    of_message, of_project = token(server, message="m-2"), token(server, project="shop")
    assert [count(server, "chatId=c-1", one) for one in (of_chat, of_user, of_message, of_project)] == [2, 403, 403, 1]
    assert [count(server, "userId=bob", one) for one in (of_chat, of_user, of_message, of_project)] == [403, 1, 403, 1]
    assert [count(server, "messageId=m-2", one) for one in (of_chat, of_message, of_project)] == [403, 1, 1]
    assert count(server, "messageId=m-3", of_project) == 404
    assert count(server, "chatId=c-1&userId=ada", of_chat) == 2
    both = token(server, chat="c-1", project="shop")
    assert count(server, "chatId=c-1", both) == 1


@pytest.mark.parametrize(
    "query",
    ["", "chatId=c-2", "chatId=c-1&chatId=c-2", "chat_id=c-2&chatId=c-1", "userId=bob", "chatId=!c-1", "chatId=",
     "chatId=c-1&filter=project:eq:shop", "chatId=c-1&project=shop", "chatId=c-1&since=7d", "chatId=c-1&metadata.a=b"],
)  # fmt: skip
def test_no_way_to_ask_leads_out_of_a_tokens_chat(server: Running, query: str) -> None:
    assert count(server, query, token(server, chat="c-1")) == 403


def test_every_other_route_refuses_a_token(server: Running) -> None:
    headers = token(server, project="shop")
    taking = [route.path for route in routes() if route.takes_tokens]
    assert taking == ["/api/token-usage", "/api/v1/page/costs", "/api/v1/page/runs", "/api/v1/page/tree"]
    for route in routes():
        if route.need == "none" or route.takes_tokens:
            continue
        path = re.sub(r"\{[^}]+\}", "x", route.path)
        body = None if route.method in ("GET", "DELETE") else {}
        reply = server.ask(route.method, path, body, headers)
        assert reply.status == 403, (route.method, route.path, reply.status)


def test_a_token_sees_no_more_than_the_key_it_was_made_with_and_ends_with_it(start: Start) -> None:
    server = start(is_open=False)
    made = {
        role: server.context.state_now(lambda state, r=role: make(state, role=r, project="shop", name=None, now_us=1))
        for role in ("read", "ingest")
    }
    record_as = {"authorization": f"Bearer {made['ingest'].text}"}
    log = {"operation": "chat", "model": "gpt-4o", "provider": "openai", "chat_id": "c-1", "project_id": "shop"}
    assert server.ask("POST", "/api/ai-usage", log, record_as).status == 201
    assert server.ask("POST", "/api/v1/tokens", {"chat": "c-1"}, record_as).status == 403
    assert server.ask("POST", "/api/v1/tokens", {"chat": "c-1"}).status == 401
    as_reader = {"authorization": f"Bearer {made['read'].text}"}
    assert server.ask("POST", "/api/v1/tokens", {"project": "other"}, as_reader).status == 403
    headers = token(server, made["read"].text, chat="c-1")
    assert count(server, "chatId=c-1", headers) == 1
    assert server.ask("POST", "/api/v1/tokens", {"chat": "c-1"}, headers).status == 403

    def end(state: Any) -> None:
        revoke(state, made["read"].key.key_id, 2)
        server.context.keys.refresh(state, server.context.now_us())

    server.context.state_now(end)
    assert count(server, "chatId=c-1", headers) == 401


def test_a_token_that_is_over_or_forged_is_refused_also_where_no_key_is_needed(server: Running) -> None:
    old = tokens.token_of(minutes=1, now_us=1, chat="c-1")
    text = server.context.state_now(lambda state: server.context.tokens.sign(state, old))
    assert count(server, "chatId=c-1", {"authorization": f"Bearer {text}"}) == 401
    assert count(server, "chatId=c-1", {"authorization": f"Bearer {tokens.PREFIX}x.y"}) == 401
    for wrong in ({}, {"minutes": 5}, {"chat": "c", "minutes": 0}, {"chat": "c", "minutes": 10_000}, {"chat": ""}):
        assert server.post("/api/v1/tokens", wrong).status == 400, wrong


def costs(server: Running, query: str, headers: dict[str, str]) -> Any:
    reply = server.ask("GET", f"/api/v1/page/costs?{query}", headers=headers)
    return reply.json()["total"]["calls"] if reply.status == 200 else reply.status


def test_costs_over_time_are_those_of_the_token_whatever_is_asked(server: Running) -> None:
    of_chat, of_user = token(server, chat="c-1"), token(server, user="bob")
    of_project, of_message = token(server, project="shop"), token(server, message="m-1")
    assert [costs(server, "", one) for one in (of_chat, of_user, of_project, of_message)] == [2, 1, 2, 403]
    assert costs(server, "by=model&days=7&interval=day", of_chat) == 2
    assert costs(server, "chatId=c-1", of_project) == 1
    assert costs(server, "user=bob", of_user) == 1
    refused = ("chatId=c-2", "chatId=c-1&chatId=c-2", "filter=project:eq:shop", "project=shop", "metadata.a=b", "tag=x")
    for query in refused:
        assert costs(server, query, of_chat) in (400, 403), query
    for query in ("user=ada", "user=!bob", "user=ada&user=bob"):
        assert costs(server, query, of_user) in (400, 403), query
    assert costs(server, "by=user_id", of_project) == 400
    answer = server.ask("GET", "/api/v1/page/costs", headers=of_chat)
    again = {**token(server, user="bob"), "if-none-match": answer.headers["etag"]}
    assert server.ask("GET", "/api/v1/page/costs", headers=again).status == 200
    assert b"bob" not in answer.body


def test_a_chat_is_the_run_or_the_session_of_its_calls_over_time_as_in_its_sum(server: Running) -> None:
    for session, run in (("c-7", None), ("c-7", "r-1"), ("c-8", "c-8"), ("c-8", None), ("c-9", "r-2"), (None, "c-9")):
        log = {"operation": "chat", "model": "gpt-4o", "provider": "openai", "session_id": session, "run_id": run}
        assert server.post("/api/ai-usage", {name: value for name, value in log.items() if value}).status == 201
    whole = [costs(server, f"chatId={chat}", token(server, chat=chat)) for chat in ("c-7", "c-8")]
    assert whole == [2, 2] == [count(server, f"chatId={chat}", token(server, chat=chat)) for chat in ("c-7", "c-8")]
    answer = server.ask("GET", "/api/v1/page/costs", headers=token(server, chat="c-9"))
    assert answer.json()["total"]["calls"] == 1
    assert "calls of other runs in the session 'c-9' are not in these figures" in answer.body.decode()


def test_runs_and_their_trees_are_those_of_the_token(server: Running) -> None:
    for run_id, user, project, visibility in (
        ("r-ada", "ada", "shop", "private"), ("r-bob", "bob", "shop", "private"), ("r-all", "cat", "shop", "project"),
        ("r-far", "ada", "other", "private"),
    ):  # fmt: skip
        fields = {"run_id": run_id, "user_id": user, "project": project, "name": run_id, "settings": {"secret": 1}}
        assert server.post("/api/v1/runs", fields | {"visibility": visibility}).status == 201

    def runs(headers: dict[str, str], query: str = "") -> Any:
        reply = server.ask("GET", f"/api/v1/page/runs?{query}", headers=headers)
        assert b"secret" not in reply.body
        if reply.status != 200:
            return reply.status
        return {one["run_id"] for one in reply.json()["runs"] if one["run_id"].startswith("r-")}

    def tree(headers: dict[str, str], run_id: str) -> Any:
        reply = server.ask("GET", f"/api/v1/page/tree?chatId={run_id}", headers=headers)
        return reply.json()["calls"] if reply.status == 200 else reply.status

    ada, shop, both = (
        token(server, user="ada"),
        token(server, project="shop"),
        token(server, user="ada", project="shop"),
    )
    assert runs(ada) == {"r-ada", "r-far"} and runs(ada, "user=ada") == {"r-ada", "r-far"}
    assert runs(ada, "user=bob") == 403 and runs(ada, "user=ada&user=bob") == 403
    assert runs(shop) == {"r-all"} and runs(shop, "user=bob") == set() and runs(both) == {"r-ada"}
    assert runs(token(server, chat="c-1")) == 403 and runs(token(server, message="m-1")) == 403
    assert runs(ada, "project=shop") == 400
    assert [tree(ada, one) for one in ("r-ada", "r-bob", "r-all", "r-far", "nothing")] == [0, 404, 404, 0, 404]
    assert [tree(shop, one) for one in ("r-ada", "r-all", "r-far")] == [404, 0, 404]
    assert [tree(both, one) for one in ("r-ada", "r-far", "r-all")] == [0, 404, 404]
    known(server, "c-1")
    assert [tree(token(server, chat="c-1"), one) for one in ("c-1", "c-2")] == [2, 403]
    assert tree(token(server, chat="c-1", project="shop"), "c-2") == 403
    assert tree(token(server, message="m-1"), "c-1") == 403
