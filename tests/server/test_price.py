"""Prices, the examination and the settings in force over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.server.conftest import Running, Start
from tests.server.test_app import key
from tests.server.test_usage_post import LOG

OTHER = "/api/v1/prices/other-model"


@pytest.fixture
def used(server: Running) -> Running:
    """A server with calls of two models."""
    for model, provider in (("gpt-4o", "openai"), ("claude-opus-5", "anthropic")):
        record = {**LOG, "model": model, "provider": provider}
        assert server.post("/api/ai-usage", [record] * 2).status == 201
    return server


def test_other_models_amounts_are_those_of_their_prices(used: Running) -> None:
    told = used.get(f"{OTHER}?on=claude-opus-5").json()
    basis = told["basis"]
    rows = {row["model"]: row for row in told["models"]}
    tokens = rows["gpt-4o"]["tokens"]
    picousd = tokens["input_tokens"] * basis["input_picousd"] + tokens["output_tokens"] * basis["output_picousd"]
    assert rows["gpt-4o"]["other_cost_nanousd"] == (picousd + 500) // 1_000
    own = rows["claude-opus-5"]
    assert own["other_cost_nanousd"] == own["cost_nanousd"] and own["tokens"]["calls"] == 2
    assert told["difference_nanousd"] == told["compared"]["other_cost_nanousd"] - told["compared"]["cost_nanousd"]
    assert told["basis"]["price"] and told["basis"]["priced_at"]


def test_other_model_has_the_filters_of_every_question(used: Running) -> None:
    told = used.get(f"{OTHER}?on=claude-opus-5&filter=model:eq:gpt-4o").json()
    assert [row["model"] for row in told["models"]] == ["gpt-4o"]


@pytest.mark.parametrize(
    ("query", "status", "field"), [("", 400, "on"), ("?on=x&onn=y", 400, "onn"), ("?on=nobodys", 404, None)]
)
def test_what_cannot_be_compared_is_refused(used: Running, query: str, status: int, field: str | None) -> None:
    reply = used.get(OTHER + query)
    assert (reply.status, reply.json()["error"]["field"]) == (status, field)


def test_prices_tell_models_and_sources(used: Running) -> None:
    told = used.get("/api/v1/prices").json()
    assert {row["model"] for row in told["models"]} == {"gpt-4o", "claude-opus-5"}
    assert [one["source"] for one in told["sources"]] == ["own", "overlay", "list"]


def test_paths_are_told_to_an_admin_alone(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    texts = {role: key(folder, role).text for role in ("read", "admin")}
    (folder / "prices.toml").write_text('[[price]]\nprovider = "a"\nmodel = "b"\ninput = 1\noutput = 1\n')
    server = start(folder, is_open=False)

    def own(role: str) -> Any:
        return server.get("/api/v1/prices", authorization=f"Bearer {texts[role]}").json()["sources"][0]["where"]

    assert (own("read"), own("admin")) == ("prices.toml", str(folder / "prices.toml"))


def test_the_examination_is_that_of_the_command_line(used: Running) -> None:
    findings = used.get("/api/v1/doctor").json()["findings"]
    assert {"folder", "calls", "unpriced"} <= {one["check"] for one in findings}
    assert any("4 calls" in one["text"] for one in findings)
    assert {one["grade"] for one in findings} <= {"good", "note", "warn", "bad"}


def test_settings_are_told_and_secrets_only_as_set(start: Start) -> None:
    secret = "tb_do-not-tell"
    server = start(settings={"key": secret, "url": f"http://u:{secret}@host", "alert_webhook": f"https://h/{secret}",
                             "prompts": "preview", "retention_days": 90})  # fmt: skip
    reply = server.get("/api/v1/settings")
    assert secret not in reply.body.decode()
    told = {one["name"]: one for one in reply.json()["settings"]}
    assert (told["prompts"]["value"], told["prompts"]["is_default"]) == ("preview", False)
    assert (told["retention_days"]["value"], told["responses"]["is_default"]) == (90, True)
    assert told["key"]["value"] is told["alert_webhook"]["value"] is True
    assert told["body_retention_days"]["value"] is None
