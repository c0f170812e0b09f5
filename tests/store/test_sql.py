"""The user's SQL: one SELECT over the views, and nothing else of the machine."""

from __future__ import annotations

import pytest

from contract.test_call_store import CALLS, KINDS, REFERENCE, STEPS
from tallybook.model.errors import InputError
from tallybook.model.question import Question


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    found = KINDS["mixed"](tmp_path_factory.mktemp("full") / "ledger", CALLS, STEPS)
    yield found
    found.close()


def test_the_views_hold_what_questions_count(store):
    (wanted,) = REFERENCE.ask(Question(measures=("calls", "cost_nanousd", "runs"))).rows
    assert store.sql("SELECT count(*), sum(cost_nanousd) FROM calls").rows == [wanted[:2]]
    assert store.sql("SELECT count(*) FROM runs").rows == [wanted[2:]]
    uses = REFERENCE.ask(Question(source="tool_calls", measures=("uses",))).rows
    assert store.sql("SELECT count(*) FILTER (is_use) FROM tool_calls").rows == uses
    assert store.sql("SELECT count(*) FROM steps").rows == [(len(STEPS),)]
    assert store.sql("SELECT count(*) FROM prompts").rows == [(0,)]


def test_columns_are_named_and_rows_limited(store):
    answer = store.sql("WITH t AS (SELECT model AS m FROM calls) SELECT m, count(*) AS n FROM t GROUP BY m", limit=2)
    assert answer.columns == ("m", "n")
    assert len(answer.rows) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("DROP VIEW calls", "only SELECT"),
        ("SELECT 1; SELECT 2", "one SELECT is allowed"),
        ("COPY calls TO '/tmp/stolen.csv'", "only SELECT"),
        ("SELEC 1", "not SQL|syntax"),
        ("SELECT nothing FROM calls", "nothing"),
        ("SELECT * FROM read_text('/etc/passwd')", "disabled|not allowed|Permission"),
        ("SELECT * FROM '/etc/passwd'", "disabled|not allowed|Permission|does not exist"),
        ("SET enable_external_access=true", "only SELECT"),
        ("INSTALL httpfs", "only SELECT"),
        ("", "one SELECT"),
    ],
)
def test_anything_else_is_refused(store, text, words):
    with pytest.raises(InputError, match=words):
        store.sql(text)
