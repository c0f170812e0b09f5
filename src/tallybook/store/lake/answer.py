"""A question answered: over summaries where they hold what it asks, over the calls themselves otherwise."""

from __future__ import annotations

from typing import Any

from tallybook.model.question import Question
from tallybook.store.check import zone_of
from tallybook.store.lake.find import local_for
from tallybook.store.lake.reader import Reader, View
from tallybook.store.lake.render import needs, question_sql


def answer(reader: Reader, view: View, question: Question) -> list[tuple[Any, ...]]:
    """Rows of a checked question."""
    local = local_for(view, zone_of(question.zone), question.since_us, question.until_us)
    wanted = needs(question)
    if question.source == "tool_calls":
        relation = reader.tools(view, wanted.columns, question.since_us, question.until_us)
    else:
        relation = reader.calls(view, wanted.columns, wanted.keys, question.since_us, question.until_us)
    sql, params = question_sql(question, relation, local)
    return reader.con.execute(sql, params).fetchall()
