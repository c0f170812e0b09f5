"""SQL of strangers over HTTP: it answers, and it reaches nothing else, eats nothing up and can be ended."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from tests.contract.records import Book, random_calls
from tests.server.conftest import Running, Start
from tests.server.test_app import key
from tests.server.test_usage import write

from tallybook.ingest.seal import seal
from tallybook.model.errors import InputError
from tallybook.server import sql as server_sql
from tallybook.server.error import HttpError
from tallybook.store.lake.apart import Task
from tallybook.store.lake.statement import check_stranger
from tallybook.store.lake.store import LakeStore

CALLS = random_calls(31, 60)
SECRET = "the-secret-of-the-folder"


@pytest.fixture
def full(start: Start, tmp_path: Path) -> Running:
    folder = tmp_path / "ledger"
    write(folder, CALLS[:30])
    seal(folder, Book())
    write(folder, CALLS[30:])
    (folder / "state.txt").write_text(SECRET)
    (tmp_path / "outside.csv").write_text(f"a\n{SECRET}\n")
    return start(folder)


def asked(running: Running, text: str, **more: Any) -> Any:
    return running.ask("POST", "/api/v1/sql", {"sql": text, **more}, timeout=60)


def test_a_select_is_answered_over_sealed_and_unsealed_calls(full: Running) -> None:
    got = asked(full, "SELECT count(*) AS n, sum(input_tokens) FROM calls").json()
    assert got["columns"][0] == "n" and got["rows"][0][0] == len(CALLS) and got["is_cut"] is False
    got = full.get("/api/v1/sql?limit=3&sql=SELECT%20call_id%20FROM%20calls").json()
    assert len(got["rows"]) == 3 and got["is_cut"] is True
    assert ["call_id", "VARCHAR"] in [row[:2] for row in asked(full, "DESCRIBE calls").json()["rows"]]


HARMLESS = [
    "WITH t AS (SELECT model AS m FROM calls) SELECT m, count(*) FROM t GROUP BY m",
    "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t WHERE a < 5) SELECT * FROM t",
    "SELECT r.run_id, c.call_id FROM runs r JOIN calls c USING (run_id) LEFT JOIN tool_calls t USING (call_id)",
    "SELECT quantile_cont(duration_us, 0.9) FILTER (status = 'ok') OVER (PARTITION BY model) FROM calls",
    "SELECT metadata->>'customer', date_trunc('day', started_at) FROM calls -- ; DROP VIEW calls",
    "SELECT x, 'read_text(''/etc/passwd'')' FROM range(3) t(x)",
    "FROM calls SELECT max(started_at)",
    "SELECT (SELECT count(*) FROM prompts), (SELECT count(*) FROM steps)",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_asked_of_a_ledger_may_be_asked(text: str) -> None:
    check_stranger(text)


ATTACKS = [
    # Files
    "SELECT * FROM read_text('{outside}')",
    "SELECT * FROM read_blob('{folder}/state.txt')",
    "SELECT * FROM read_csv('{outside}')",
    "SELECT * FROM read_csv_auto('{outside}')",
    "SELECT * FROM read_json('{folder}/*.json')",
    "SELECT * FROM read_parquet('{folder}/*/*.parquet')",
    "SELECT * FROM parquet_scan('{folder}/*/*.parquet')",
    "SELECT * FROM parquet_metadata('{folder}/x.parquet')",
    "SELECT * FROM sniff_csv('{outside}')",
    "SELECT * FROM '{outside}'",
    'SELECT * FROM "{outside}"',
    "FROM '{folder}/state.txt'",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT (SELECT content FROM read_text('{outside}'))",
    "WITH x AS (SELECT * FROM read_text('{outside}')) SELECT * FROM x",
    "WITH x AS MATERIALIZED (FROM '{outside}') FROM x",
    'WITH "{outside}" AS (SELECT 1) SELECT * FROM "{outside}"',
    'SELECT * FROM (WITH "{outside}" AS (SELECT 1) SELECT 1), "{outside}"',
    "SELECT * FROM calls WHERE model IN (SELECT content FROM read_text('{outside}'))",
    "SELECT * FROM calls, LATERAL (SELECT * FROM read_text('{outside}'))",
    "SELECT count(*) FROM calls ORDER BY (SELECT content FROM read_text('{outside}'))",
    "SELECT 1 UNION ALL SELECT 2 FROM read_text('{outside}')",
    "SELECT * FROM READ_TEXT('{outside}')",
    "SELECT * FROM \"read_text\"('{outside}')",
    "SELECT * FROM/**/read_text/**/('{outside}')",
    "SELECT * FROM system.main.read_text('{outside}')",
    "DESCRIBE '{outside}'",
    "DESCRIBE SELECT * FROM '{outside}'",
    "SUMMARIZE '{outside}'",
    "SELECT * FROM 'https://localhost/x.csv'",
    "SELECT * FROM read_csv('http://127.0.0.1:{port}/x')",
    "SELECT * FROM sqlite_scan('{folder}/state.db', 'access_keys')",
    "SELECT * FROM iceberg_scan('x')",
    "SELECT file_exists('{outside}')",
    # Statements that are no SELECT
    "COPY calls TO '{outside}.copy'",
    "COPY (SELECT 1) TO '{outside}.copy'",
    "COPY calls FROM '{outside}'",
    "EXPORT DATABASE '{folder}/x'",
    "IMPORT DATABASE '{folder}'",
    "ATTACH '{folder}/state.db' AS s (TYPE sqlite)",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{folder}/x.duckdb_extension'",
    "PRAGMA database_list",
    "PRAGMA enable_external_access",
    "CALL duckdb_settings()",
    "SET enable_external_access=true",
    "SET VARIABLE x = 1",
    "RESET allowed_paths",
    "CREATE VIEW v AS SELECT 1",
    "CREATE MACRO m() AS TABLE SELECT 1",
    "CREATE TABLE t AS SELECT 1",
    "CREATE SECRET s (TYPE s3)",
    "DROP VIEW calls",
    "INSERT INTO hot VALUES (1)",
    "DELETE FROM calls",
    "UPDATE calls SET model = 'x'",
    "BEGIN",
    "CHECKPOINT",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "EXPLAIN ANALYZE SELECT * FROM calls",
    "VACUUM",
    # Several
    "SELECT 1; SELECT 2",
    "SELECT 1; COPY calls TO '{outside}.copy'",
    "SELECT 1 /* ; */ ; DROP VIEW calls --",
    "; ; ",
    "",
    "-- nothing",
    # What the machine and the connection tell
    "SELECT getenv('PATH')",
    "SELECT current_setting('allowed_paths')",
    "SELECT getvariable('x')",
    "SELECT version()",
    "SELECT current_database()",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_views()",
    "SELECT * FROM duckdb_views",
    "SELECT * FROM duckdb_logs",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_views",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM temp.main.hot",
    "SELECT * FROM hot",
    "SELECT * FROM grown",
    "SELECT * FROM cells",
    "SELECT * FROM stored_prompts",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SHOW DATABASES",
    # Text that is run
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('calls')",
    "SELECT json_execute_serialized_sql('x')",
    "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM python_map_function(1)",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM con",
    "SELECT * FROM reader",
    "SELECT nextval('x')",
    "SELECT * FROM test_all_types()",
    "SELECT * FROM repeat_row(1, num_rows=10)",
    "SELECT \x00",
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "SELECT 1" + " + 1" * 8000,
]


@pytest.mark.parametrize("text", ATTACKS)
def test_what_reaches_beyond_the_views_is_refused_before_it_runs(tmp_path: Path, text: str) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text(f"a\n{SECRET}\n")
    filled = text.replace("{outside}", str(outside)).replace("{folder}", str(tmp_path)).replace("{port}", "9")
    with pytest.raises(InputError) as caught:
        check_stranger(filled)
    assert SECRET not in str(caught.value)
    assert not list(tmp_path.glob("*.copy"))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_text('{outside}')",
        "SELECT * FROM '{outside}'",
        "SELECT * FROM read_text('{folder}/state.txt')",
        "SELECT * FROM read_csv('http://127.0.0.1:{port}/x')",
        "SELECT * FROM glob('{folder}/../*')",
        "SELECT * FROM sqlite_scan('{folder}/state.db', 'x')",
        "SELECT * FROM con",
        "SELECT * FROM text",
    ],
)
def test_the_connection_keeps_the_same_out_were_the_first_fence_down(tmp_path: Path, text: str) -> None:
    write(tmp_path / "ledger", CALLS[:3])
    (tmp_path / "ledger" / "state.txt").write_text(SECRET)
    (tmp_path / "outside.csv").write_text(f"a\n{SECRET}\n")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        filled = text.replace("{outside}", str(tmp_path / "outside.csv")).replace("{folder}", str(tmp_path / "ledger"))
        store = LakeStore(tmp_path / "ledger", Book())
        with pytest.raises(InputError) as caught:
            store.sql(filled.replace("{port}", str(listening.getsockname()[1])), memory_mb=200)
        store.close()
        assert SECRET not in str(caught.value)
        with pytest.raises(TimeoutError):
            listening.accept()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) FROM range(10000000000) a, range(10000000000) b",
        "SELECT count(*) FROM calls a, calls b, calls c, calls d, calls e, calls f",
        "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t) SELECT count(*) FROM t",
        "WITH RECURSIVE t AS (SELECT 'x' AS a UNION ALL SELECT a || a FROM t) SELECT max(length(a)) FROM t",
        "SELECT length(repeat('x', 4000000000))",
        "SELECT len(range(3000000000))",
        "SELECT list(a) FROM range(1000000000) t(a)",
        "SELECT sum(length(repeat('abc', 100000000))) FROM range(1000)",
        "SELECT string_agg(repeat('y', 1000000), '') FROM range(100000)",
        "SELECT a FROM range(300000000) t(a) ORDER BY hash(a)",
        "SELECT list_sort(list_transform(range(100000000), lambda x: hash(x)))",
        "SELECT printf('%2000000000d', 1)",
        "SELECT lpad('x', 2000000000, 'y')",
        "SELECT factorial(20) FROM range(1000000000) a, range(1000) b WHERE sin(a.range) > 2",
    ],
)
def test_what_eats_time_or_memory_is_ended(tmp_path: Path, text: str) -> None:
    write(tmp_path / "ledger", CALLS)
    task = Task(folder=str(tmp_path / "ledger"), text=text, rows_max=10, bytes_max=10_000)
    began = time.monotonic()
    try:
        found = asyncio.run(server_sql.outcome(task, 4.0))
        assert found.error is not None or sum(len(str(row)) for row in found.rows) < 20_000
    except HttpError as error:
        assert (error.status, error.code) in ((408, "too_long"), (400, "too_much"))
    assert time.monotonic() - began < 30


def test_an_answer_is_cut_at_its_bytes(full: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_sql, "BYTES_MAX", 10_000)
    got = asked(full, "SELECT repeat('x', 1000) FROM range(100)").json()
    assert 0 < len(got["rows"]) < 10 and got["is_cut"]


def test_values_that_json_lacks_are_told_all_the_same(full: Running) -> None:
    text = "SELECT 'nan'::DOUBLE, 1e400::DOUBLE, DATE '2026-01-01', [1, NULL], {'a': 1.5::DECIMAL(9,2)}, '\\x01'::BLOB"
    reply = asked(full, text.replace("1e400::DOUBLE", "'inf'::DOUBLE"))
    assert reply.json()["rows"] == [[None, None, "2026-01-01", [1, None], {"a": "1.50"}, "01"]]


def test_a_failing_statement_says_why_and_a_key_of_one_project_may_not(full: Running, start: Start) -> None:
    error = asked(full, "SELECT modell FROM calls").json()["error"]
    assert "modell" in error["message"] and error["field"] == "sql"
    folder = full.context.settings.folder
    texts = [key(folder, "read", "alpha").text, key(folder, "ingest").text]
    closed = start(folder, is_open=False)
    for text in texts:
        headers = {"authorization": f"Bearer {text}"}
        assert closed.ask("POST", "/api/v1/sql", {"sql": "SELECT 1"}, headers).status == 403
