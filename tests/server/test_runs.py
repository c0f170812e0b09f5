"""Runs, tasks, messages and links over HTTP, on a real server."""

from __future__ import annotations

import time

import pytest

from tallybook.access import key as keys
from tallybook.ingest.follow import follow
from tallybook.store.lake.store import LakeStore
from tallybook.store.sqlite.state import SqliteState

from .conftest import Start


@pytest.fixture
def server(start: Start):
    return start()


def made(server, **fields):
    reply = server.post("/api/v1/runs", fields)
    assert reply.status == 201, reply.body
    return reply.json()["run_id"]


def calls(server):
    store = LakeStore(server.context.settings.folder)
    try:
        return store.calls()
    finally:
        store.close()


def test_a_conversation_as_the_seed_tells_it(server) -> None:
    """The seed's own example, with its names in its own spelling."""
    run_id = made(
        server, sourceType="prompt", sourceId="p-1", settings={"model_id": "gpt-4o", "timeout_us": 5},
        variableValues={"topic": "AI"},
        broker_values={"currentDate": "2025-10-27"}, project="atlas", userId="u-1",
    )  # fmt: skip
    said = server.post(f"/api/v1/runs/{run_id}/messages", {"role": "user", "content": "What are **tides**?",
        "attachments": [{"type": "image", "url": "https://example.com/a.png", "mimeType": "image/png"}]})  # fmt: skip
    assert said.status == 201 and said.json()["attachments"][0]["kind"] == "image"
    task_id = "3f2b8c1e-0f6b-4b7e-9a61-1f0c9a5d7e11"
    reply = server.post(
        f"/api/v1/runs/{run_id}/tasks",
        {"taskId": task_id, "service": "chat_service", "taskName": "direct_chat", "provider": "openai",
         "model": "gpt-4o", "requestData": {"messages": []}},
    )  # fmt: skip
    assert reply.status == 201 and reply.json()["status"] == "pending"
    reply = server.ask("PATCH", f"/api/v1/tasks/{task_id}", {"responseText": "The mo", "status": "streaming"})
    assert reply.json()["response_text"] == "The mo" and reply.json()["status"] == "streaming"
    end = {"response_text": "The moon.", "tokens_total": 120, "tokens_input": 100, "cost": 0.0125, "total_time": 1500,
           "time_to_first_token": 300, "response_id": "resp-1"}  # fmt: skip
    done = server.post(f"/api/v1/tasks/{task_id}/complete", end)
    assert done.status == 200 and done.json()["status"] == "completed" and done.json()["completed_at"]
    (call,) = calls(server)
    assert (call.run_id, call.metadata["task_id"], call.usage.output_tokens) == (run_id, task_id, 20)
    assert (call.duration_us, call.ttft_us, call.project, call.user_id) == (1_500_000, 300_000, "atlas", "u-1")
    again = server.post(f"/api/v1/tasks/{task_id}/complete", {"tokens_input": 9, "response_text": "other"})
    assert again.json() == done.json() and len(calls(server)) == 1
    late = server.ask("PATCH", f"/api/v1/tasks/{task_id}", {"response_text": "late"})
    assert late.json()["response_text"] == "The moon."
    state = SqliteState(server.context.settings.folder / "state.db")
    follow(server.context.settings.folder, state, None)
    state.close()
    run = server.get(f"/api/v1/runs/{run_id}").json()
    assert (run["name"], run["message_count"], run["task_count"], run["open_task_count"]) == (
        "What are tides?",
        1,
        1,
        0,
    )
    assert (run["calls"], run["total_tokens"], run["cost_usd"]) == (1, 120, 0.0125)
    assert run["settings"] == {"model_id": "gpt-4o", "timeout_us": 5}
    assert run["variable_values"] == {"topic": "AI"} and run["last_message_at"] and run["source_type"] == "prompt"
    assert [one["task_id"] for one in server.get(f"/api/v1/runs/{run_id}/tasks").json()["tasks"]] == [task_id]
    assert server.get(f"/api/v1/tasks/{task_id}").json()["request_data"] == {"messages": []}


def test_a_task_of_an_unknown_run_makes_it_and_ids_are_kept(server) -> None:
    reply = server.post("/api/v1/tasks", {"task_id": "any text/äöü", "run_id": "new-run", "model": "m"})
    assert reply.status == 201 and reply.json()["task_id"] == "any text/äöü"
    assert server.get("/api/v1/runs/new-run").json()["task_count"] == 1
    assert server.post("/api/v1/tasks", {"task_id": "any text/äöü", "run_id": "new-run"}).status == 200
    assert server.post("/api/v1/tasks", {"task_id": "any text/äöü", "run_id": "other"}).status == 409
    assert server.post("/api/v1/tasks", {"task_id": "x"}).json()["error"]["field"] == "run_id"


def test_runs_are_listed_with_filters_in_pages(server) -> None:
    for number in range(7):
        made(server, run_id=f"r{number}", name=f"Name {number}", tags=["even"] if number % 2 == 0 else ["odd"],
             isStarred=number == 3, source_type="chat" if number < 4 else "workflow", project="atlas")  # fmt: skip
    names = lambda path: [run["run_id"] for run in server.get(path).json()["runs"]]  # noqa: E731
    assert names("/api/v1/runs?starred=true") == ["r3"]
    assert names("/api/v1/runs?tag=even&source_type=workflow&sort=name&order=asc") == ["r4", "r6"]
    assert names("/api/v1/runs?text=name%205") == ["r5"]
    assert names("/api/v1/runs?project=web") == []
    assert names("/api/v1/runs?until=2020-01-01") == []
    found, cursor = [], ""
    for _ in range(9):
        page = server.get(f"/api/v1/runs?limit=3&sort=created_at{cursor}").json()
        found += [run["run_id"] for run in page["runs"]]
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"
    assert sorted(found) == [f"r{number}" for number in range(7)] and found == sorted(found, reverse=True)
    for wrong in ("sort=colour", "limit=0", "cursor=abc", "colour=red", "since=yesterday", "starred=perhaps"):
        assert server.get(f"/api/v1/runs?{wrong}").status == 400, wrong


def test_a_run_is_renamed_starred_tagged_archived_deleted_restored_and_purged(server) -> None:
    run_id = made(server, name="A", tags=["x"])
    path = f"/api/v1/runs/{run_id}"
    changed = server.ask("PATCH", path, {"name": "B", "is_starred": True, "addTags": ["y"], "removeTags": ["x"]}).json()
    assert (changed["name"], changed["is_starred"], changed["tags"]) == ("B", True, ["y"])
    stale = server.ask("PATCH", path, {"name": "C", "revision": changed["revision"] - 1})
    assert stale.status == 409 and stale.json()["error"]["code"] == "conflict"
    assert server.ask("PATCH", path, {"status": "archived"}).json()["status"] == "archived"
    assert server.post(f"{path}/resume", None).json()["status"] == "active"
    assert server.ask("DELETE", path).status == 204
    assert server.get(path).status == 404
    assert [run["run_id"] for run in server.get("/api/v1/runs?deleted=true").json()["runs"]] == [run_id]
    assert server.post(f"{path}/tasks", {}).status == 409
    assert server.post(f"{path}/restore", None).json()["name"] == "B"
    assert server.ask("DELETE", f"{path}?purge=true").status == 409
    server.ask("DELETE", path)
    assert server.ask("DELETE", f"{path}?purge=true").status == 204
    assert server.post(f"{path}/restore", None).status == 404
    assert server.post("/api/v1/runs", {"run_id": run_id}).status in (404, 409)


def test_messages_are_paged_changed_and_removed(server) -> None:
    run_id = made(server)
    path = f"/api/v1/runs/{run_id}/messages"
    for number in range(5):
        server.post(path, {"role": "user", "content": f"m{number}", "message_id": f"id{number}"})
    assert server.post(path, {"role": "user", "content": "other", "id": "id0"}).status == 200
    page = server.get(f"{path}?limit=3").json()
    rest = server.get(f"{path}?limit=3&cursor={page['cursor']}").json()
    assert [one["content"] for one in page["messages"] + rest["messages"]] == [f"m{number}" for number in range(5)]
    assert rest["cursor"] is None
    assert server.ask("PATCH", f"{path}/id1", {"content": "edited"}).json()["content"] == "edited"
    assert server.ask("DELETE", f"{path}/id2").status == 204
    assert server.ask("DELETE", f"{path}/id2").status == 404
    other = made(server)
    assert server.ask("PATCH", f"/api/v1/runs/{other}/messages/id1", {"content": "x"}).status == 404
    assert server.get(f"/api/v1/runs/{run_id}").json()["message_count"] == 4
    bad = server.post(path, {"role": "robot", "content": "x"})
    assert bad.status == 400 and bad.json()["error"]["field"] == "role"


def test_a_link_shows_the_conversation_until_it_is_revoked(start: Start) -> None:
    server = start(is_open=False)
    state = SqliteState(server.context.settings.folder / "state.db")
    admin = {"authorization": "Bearer " + keys.make(
        state, role="admin", project=None, name=None, now_us=time.time_ns() // 1000).text}  # fmt: skip
    state.close()
    assert server.ask("POST", "/api/v1/runs", {"run_id": "r", "settings": {"secret": 1}}, admin).status == 201
    server.ask("POST", "/api/v1/runs/r/messages", {"role": "user", "content": "Hello"}, admin)
    link = server.ask("POST", "/api/v1/runs/r/share", {"label": "Ann"}, admin).json()
    shown = server.get(link["path"])
    assert shown.status == 200 and shown.headers["cache-control"] == "no-store"
    assert shown.json()["name"] == "Hello" and shown.json()["messages"][0]["content"] == "Hello"
    assert b"secret" not in shown.body and server.get("/api/v1/runs/r").status == 401
    assert server.get("/s/wrong").status == 404
    (listed,) = server.ask("GET", "/api/v1/runs/r/share", None, admin).json()["shares"]
    assert listed["label"] == "Ann" and "token" not in listed and "hash" not in listed
    assert server.ask("DELETE", f"/api/v1/runs/r/share/{link['share_id']}", None, admin).status == 204
    assert server.get(link["path"]).status == 404


def test_keys_see_and_write_what_is_theirs(start: Start) -> None:
    server = start(is_open=False)
    state = SqliteState(server.context.settings.folder / "state.db")
    now = time.time_ns() // 1000

    def key(role, project):
        return {"authorization": "Bearer " + keys.make(state, role=role, project=project, name=None, now_us=now).text}

    writer, reader, other = key("ingest", "atlas"), key("read", "atlas"), key("admin", "web")
    state.close()
    assert server.ask("POST", "/api/v1/runs", {"run_id": "r", "user_id": "ann", "name": "N"}, writer).status == 201
    assert server.ask("GET", "/api/v1/runs/r", None, writer).status == 403
    replay = server.ask("POST", "/api/v1/runs", {"run_id": "r"}, writer)
    assert replay.status == 200 and replay.json()["name"] is None
    assert server.ask("POST", "/api/v1/runs", {"run_id": "q", "project": "web"}, writer).status == 400
    # Private: its user's alone.
    assert server.ask("GET", "/api/v1/runs/r", None, reader).status == 404
    assert server.ask("GET", "/api/v1/runs", None, reader).json()["runs"] == []
    assert server.ask("GET", "/api/v1/runs/r", None, {**reader, "x-tallybook-user": "ann"}).status == 200
    assert len(server.ask("GET", "/api/v1/runs", None, {**reader, "x-tallybook-user": "ann"}).json()["runs"]) == 1
    assert server.ask("GET", "/api/v1/runs/r", None, other).status == 404
    assert server.ask("PATCH", "/api/v1/runs/r", {"name": "x"}, other).status == 404
    assert server.ask("POST", "/api/v1/runs/r/tasks", {"task_id": "t"}, other).status == 404
    assert server.ask("POST", "/api/v1/runs/r/tasks", {"task_id": "t", "request_data": "q"}, writer).status == 201
    hidden = server.ask("POST", "/api/v1/tasks/t/complete", {"response_text": "a"}, writer).json()
    assert hidden["status"] == "completed" and hidden["response_text"] is None
    assert server.ask("PATCH", "/api/v1/tasks/t", {"response_text": "x"}, other).status == 404


def test_a_run_of_telemetry_is_in_the_same_list(server) -> None:
    server.post("/api/v1/projects", {"project": "atlas"})
    logged = server.post("/api/ai-usage", {"operation": "chat", "model": "gpt-4o", "provider": "openai",
                                           "project": "atlas", "session_id": "s-1", "input_tokens": 5})  # fmt: skip
    assert logged.status == 201
    state = SqliteState(server.context.settings.folder / "state.db")
    follow(server.context.settings.folder, state, None)
    state.close()
    (run,) = server.get("/api/v1/runs").json()["runs"]
    assert (run["run_id"], run["is_managed"], run["calls"]) == ("s-1", False, 1)
    starred = server.ask("PATCH", "/api/v1/runs/s-1", {"is_starred": True}).json()
    assert starred["is_managed"] and starred["calls"] == 1


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b"1", b'{"name": 3.5}', b'{"tags": {"a": 1}}', b'{"x": 1}',
                                  b'{"settings": []}', b'{"name": "a\\u0000"}'])  # fmt: skip
def test_what_is_not_valid_is_answered_with_400(server, body) -> None:
    reply = server.ask("POST", "/api/v1/runs", body, {"content-type": "application/json"})
    assert reply.status == 400 and reply.json()["error"]["message"]
