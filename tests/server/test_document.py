"""The OpenAPI document is true: what is generated from it is answered as it says, and never by a 500."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.server.conftest import Start

pytest.importorskip("schemathesis")

ROOT = Path(__file__).resolve().parents[2]
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "unsupported_method",
)  # fmt: skip


@pytest.mark.timeout(600)
@pytest.mark.parametrize("any_project", [True])
def test_every_answer_is_what_the_document_says(start: Start, any_project: bool, tmp_path: Path) -> None:
    server = start(any_project=any_project)
    # The same requests each time, so that a run means something; more and others where that is asked for.
    examples, seed = os.environ.get("TALLYBOOK_EXAMPLES", "5"), os.environ.get("TALLYBOOK_SEED", "20261126")
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{server.port}/openapi.json",
        "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--max-examples", examples,
        "--seed", seed,
        "--no-color", "--request-timeout", "30", "--exclude-path", "/api/v1/live",  # It has no end to wait for.
    ]  # fmt: skip
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.server.serializer", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert server.context.alerts.under_way("bug") == []
    assert server.get("/healthz").json()["ok"] is True
