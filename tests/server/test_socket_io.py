"""Socket.IO: a task's id is the event's name. The protocol is spoken by hand, over long polling and WebSocket."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.server.conftest import Running, Start
from tests.server.test_app import key
from tests.server.test_live import call, write

from tallybook.model.run import Task
from tallybook.store.sqlite.state import SqliteState

pytest.importorskip("socketio")


class Client:
    """Engine.IO 4 over polling, Socket.IO 5 on top."""

    def __init__(self, server: Running, auth: Any = None) -> None:
        self.server = server
        self.packets: list[str] = []
        opened = json.loads(self._get("")[1:])
        self.sid = f"&sid={opened['sid']}"
        self.send("40" + ("" if auth is None else json.dumps(auth)))
        self.answer = self.next()

    def _get(self, sid: str) -> str:
        reply = self.server.get(f"/socket.io/?EIO=4&transport=polling{sid}")
        assert reply.status == 200, reply.body
        return reply.body.decode()

    def send(self, packet: str) -> None:
        path = f"/socket.io/?EIO=4&transport=polling{self.sid}"
        assert self.server.ask("POST", path, packet.encode(), {"content-type": "text/plain"}).status == 200

    def next(self) -> str:
        while True:
            while not self.packets:
                self.packets = self._get(self.sid).split("\x1e")
            packet = self.packets.pop(0)
            if packet == "2":
                self.send("3")
            elif packet != "6":
                return packet

    def event(self) -> tuple[str, Any]:
        packet = self.next()
        assert packet.startswith("42"), packet
        name, data = json.loads(packet[2:])
        return name, data


def test_a_task_is_heard_under_its_id_and_a_run_under_its_own(server: Running) -> None:
    client = Client(server)
    assert client.answer.startswith("40")
    time.sleep(0.3)
    state = SqliteState(server.context.settings.folder / "state.db")
    try:
        now = server.context.now_us()
        state.create_task(Task(task_id="task-1", run_id="r", call_id="c", status="running", created_at_us=now))
        heard = [client.event()]
        state.change_task("task-1", {"status": "streaming", "response_text": "Hel"})
        heard.append(client.event())
        state.change_task("task-1", {"status": "completed", "response_text": "Hello"})
        heard.append(client.event())
    finally:
        state.close()
    assert [(name, data["kind"]) for name, data in heard] == [
        ("task-1", "started"), ("task-1", "progress"), ("task-1", "completed"),
    ]  # fmt: skip
    assert heard[1][1]["response_text"] == "Hel"


def test_who_subscribes_hears_these_alone(server: Running) -> None:
    client = Client(server)
    client.send('421["subscribe",["run-1"]]')
    assert client.next() == '431[{"ids":1}]'
    write(server, call(run_id="other"), call(run_id="run-1", user_id="u9"))
    name, data = client.event()
    assert data["run_id"] == "run-1" and name == data["call_id"]


def test_a_key_is_asked_for_where_keys_are_and_its_project_holds(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    reader, writer = key(folder, "read", "docs"), key(folder, "ingest")
    server = start(folder, is_open=False)
    assert Client(server).answer.startswith("44")
    assert Client(server, {"key": writer.text}).answer.startswith("44")
    client = Client(server, {"key": reader.text})
    assert client.answer.startswith("40")
    write(server, call(project="other"), call(project="docs"))
    assert client.event()[1]["metadata"]["project"] == "docs"


def test_over_a_websocket_as_well(server: Running) -> None:
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket", proxy=None) as one:
        assert str(one.recv(10)).startswith("0")
        one.send("40")
        assert str(one.recv(10)).startswith("40")
        write(server, call(run_id="r9"))
        name, data = json.loads(str(one.recv(10))[2:])
        assert data["run_id"] == "r9" and name == data["call_id"]
