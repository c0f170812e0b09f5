"""What every answer goes through: access, names, errors, figures, documentation."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

import pytest
from tests.server.conftest import Running, Start
from tests.server.test_usage_post import LOG, calls

from tallybook.access.key import Made, make
from tallybook.model.errors import SettingError
from tallybook.server.app import routes
from tallybook.server.context import Serving
from tallybook.server.openapi import document
from tallybook.server.run import bound, check
from tallybook.store.sqlite.state import SqliteState


def key(folder: Path, role: str, project: str | None = None) -> Made:
    folder.mkdir(parents=True, exist_ok=True)
    state = SqliteState(folder / "state.db")
    try:
        return make(state, role=role, project=project, name=None, now_us=1)
    finally:
        state.close()


@pytest.fixture
def closed(start: Start, tmp_path: Path) -> tuple[Running, dict[str, str]]:
    """A server that asks for keys, and one key of each role."""
    folder = tmp_path / "ledger"
    texts = {role: key(folder, role, "docs" if role == "ingest" else None).text for role in ("ingest", "read", "admin")}
    return start(folder, is_open=False), texts


def test_without_a_key_nothing_but_health_is_told(closed: tuple[Running, dict[str, str]]) -> None:
    server, _ = closed
    assert server.get("/healthz").status == 200
    reply = server.post("/api/ai-usage", LOG)
    assert reply.status == 401 and "keys create" in reply.json()["error"]["hint"]
    assert server.get("/api/v1/projects").status == 401
    assert server.post("/api/ai-usage", LOG, authorization="Bearer tb_i_x_y").status == 401


@pytest.mark.parametrize(
    "headers",
    [
        lambda text: {"authorization": f"Bearer {text}"},
        lambda text: {"authorization": "Basic " + base64.b64encode(f"{text}:".encode()).decode()},
        lambda text: {"authorization": "Basic " + base64.b64encode(f"pk:{text}".encode()).decode()},
        lambda text: {"x-api-key": text},
        lambda text: {"api_key": text},
        lambda text: {"helicone-auth": f"Bearer {text}"},
    ],
)
def test_a_key_is_known_in_every_form_that_clients_send_it(
    closed: tuple[Running, dict[str, str]], headers: Any
) -> None:
    server, texts = closed
    assert server.ask("POST", "/api/ai-usage", LOG, headers(texts["ingest"])).status == 201
    assert calls(server)[0].project == "docs"


def test_roles_keep_apart_who_writes_who_reads_and_who_rules(closed: tuple[Running, dict[str, str]]) -> None:
    server, texts = closed
    as_ = {role: {"authorization": f"Bearer {text}"} for role, text in texts.items()}
    assert server.ask("GET", "/api/v1/projects", headers=as_["ingest"]).status == 403
    assert server.ask("GET", "/api/v1/projects", headers=as_["read"]).status == 200
    assert server.ask("POST", "/api/ai-usage", LOG, as_["read"]).status == 403
    assert server.ask("POST", "/api/v1/keys", {"role": "read"}, as_["read"]).status == 403
    assert server.ask("POST", "/api/v1/keys", {"role": "read"}, as_["admin"]).status == 201


def test_a_key_of_a_project_writes_to_no_other(closed: tuple[Running, dict[str, str]]) -> None:
    server, texts = closed
    headers = {"authorization": f"Bearer {texts['ingest']}"}
    reply = server.ask("POST", "/api/ai-usage", {**LOG, "project_id": "other"}, headers)
    assert (reply.status, reply.json()["error"]["code"]) == (403, "forbidden_project")
    assert server.ask("POST", "/api/ai-usage", {**LOG, "project_id": "docs"}, headers).status == 201


def test_a_key_is_shown_once_listed_without_its_secret_and_ends_when_revoked(
    closed: tuple[Running, dict[str, str]],
) -> None:
    server, texts = closed
    admin = {"authorization": f"Bearer {texts['admin']}"}
    made = server.ask("POST", "/api/v1/keys", {"role": "read", "name": "grafana"}, admin).json()
    own = {"authorization": f"Bearer {made['key']}"}
    assert server.ask("GET", "/api/v1/projects", headers=own).status == 200
    listed = server.ask("GET", "/api/v1/keys", headers=admin)
    assert made["key_id"] in listed.body.decode() and made["key"] not in listed.body.decode()
    assert b"hash" not in listed.body
    (row,) = [one for one in listed.json()["keys"] if one["key_id"] == made["key_id"]]
    assert row["last_used_at_us"] > time.time_ns() // 1000 - 60_000_000
    assert server.ask("DELETE", f"/api/v1/keys/{made['key_id']}", headers=admin).status == 204
    assert server.ask("DELETE", "/api/v1/keys/nothing", headers=admin).status == 404
    reply = server.ask("GET", "/api/v1/projects", headers=own)
    assert reply.status == 401 and "revoked" in reply.json()["error"]["message"]


def test_the_secret_of_a_key_is_nowhere_on_the_disk(tmp_path: Path) -> None:
    made = key(tmp_path, "admin")
    secret = made.text.rsplit("_", 1)[1].encode()
    assert all(secret not in path.read_bytes() for path in tmp_path.iterdir())


def test_on_loopback_a_foreign_key_means_nothing(server: Running) -> None:
    headers = {"authorization": "Basic " + base64.b64encode(b"pk-lf-1:sk-lf-2").decode()}
    assert server.ask("POST", "/api/ai-usage", LOG, headers).status == 201


def test_a_page_that_rebinds_its_name_is_refused(server: Running, start: Start, tmp_path: Path) -> None:
    assert server.get("/healthz", host="evil.example:80").status == 403
    assert server.get("/healthz", host="localhost:1").status == 200
    assert server.get("/healthz", host="[::1]").status == 200
    assert start(tmp_path / "b", hosts=("tally.lan",)).get("/healthz", host="tally.lan").status == 200


def test_pages_of_other_sites_write_only_when_allowed(server: Running, start: Start, tmp_path: Path) -> None:
    reply = server.post("/api/ai-usage", LOG, origin="https://evil.example")
    assert (reply.status, reply.json()["error"]["code"]) == (403, "unknown_origin")
    assert "access-control-allow-origin" not in server.get("/healthz", origin="https://evil.example").headers
    assert server.ask("OPTIONS", "/api/ai-usage", headers={"origin": "https://evil.example"}).status == 403
    friendly = start(tmp_path / "b", origins=("https://app.example",))
    reply = friendly.post("/api/ai-usage", LOG, origin="https://app.example")
    assert reply.status == 201 and reply.headers["access-control-allow-origin"] == "https://app.example"
    asked = friendly.ask("OPTIONS", "/api/ai-usage", headers={"origin": "https://app.example"})
    assert asked.status == 204 and "POST" in asked.headers["access-control-allow-methods"]
    own = {"origin": f"http://127.0.0.1:{server.port}", "host": f"127.0.0.1:{server.port}"}
    assert server.ask("POST", "/api/ai-usage", LOG, own).status == 201


def test_an_unknown_place_or_method_is_told_in_the_same_shape(server: Running) -> None:
    reply = server.get("/api/ai-usag")
    assert reply.status == 404 and "/api/ai-usage" in reply.json()["error"]["hint"]
    reply = server.ask("DELETE", "/api/ai-usage")
    assert reply.status == 405 and "POST" in reply.headers["allow"] and reply.json()["error"]["code"]


def test_what_was_accepted_and_refused_is_counted(server: Running) -> None:
    server.post("/api/ai-usage", LOG)
    server.post("/api/ai-usage", {**LOG, "model": None})
    text = server.get("/metrics").body.decode()
    assert 'tallybook_records_accepted_total{source="rest",kind="call"} 1' in text
    assert 'tallybook_records_refused_total{source="rest",reason="required"} 1' in text
    assert 'tallybook_requests_total{method="POST",route="/api/ai-usage",status="201"} 1' in text
    health = server.get("/healthz").json()
    assert health["ok"] and health["accepted"] == 1 and health["refused"] == 1


def test_other_addresses_are_not_served_without_keys() -> None:
    with pytest.raises(SettingError, match="no access key"):
        check(Serving("0.0.0.0"), 0, is_insecure=False)
    assert not check(Serving("0.0.0.0"), 1, is_insecure=False).is_open
    assert check(Serving("0.0.0.0"), 0, is_insecure=True).is_open
    assert check(Serving("127.0.0.1"), 1, is_insecure=False).is_open


def test_a_taken_port_is_told_with_the_remedy() -> None:
    first = Serving(port=0)
    with bound(first), pytest.raises(SettingError, match=str(first.port)) as told:
        bound(Serving(port=first.port))
    assert "--port" in str(told.value.hint)


def test_every_route_is_documented_and_named_once() -> None:
    told = document(routes())
    assert told["openapi"].startswith("3.1")
    operations = [op for methods in told["paths"].values() for op in methods.values()]
    assert len({op["operationId"] for op in operations}) == len(operations) == len(routes())
    assert all(op["summary"] and op["responses"] for op in operations)


def test_the_page_of_the_interface_lists_every_route(server: Running) -> None:
    page = server.get("/docs").body.decode()
    assert all(route.path.split("{")[0] in page for route in routes())
    assert "<script" not in page
