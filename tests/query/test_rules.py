"""Every format of the table has a rule in words and says where it stands."""

from __future__ import annotations

import pytest

from tallybook.providers.base import Format
from tallybook.providers.openai_chat import CHAT
from tallybook.providers.table import ROWS, loaded
from tallybook.query.rules import rule_of

FORMATS = sorted({loaded(row.format) for row in ROWS}, key=lambda form: form.name)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_no_format_is_without_a_rule_and_a_source(form: Format) -> None:
    rule = rule_of(form, None)
    assert rule.text
    assert rule.source.startswith("https://") or rule.source.startswith("providers/")


def test_a_rule_tells_the_hosts_habit_where_the_usage_shows_it() -> None:
    raw = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 22,
           "completion_tokens_details": {"reasoning_tokens": 7}}  # fmt: skip
    assert "completion + reasoning" in rule_of(CHAT, raw).text
    assert "completion + reasoning" not in rule_of(CHAT, {**raw, "total_tokens": 15}).text


def test_a_fields_own_name_keeps_its_spelling() -> None:
    by_name = {form.name: rule_of(form, None).text for form in FORMATS}
    assert by_name["bedrock.converse"].startswith("inputTokens")
    assert by_name["openai.chat"].startswith("Input")
