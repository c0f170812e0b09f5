"""Scores of a call, from the lines that told them."""

from __future__ import annotations

import json

from msgspec import structs

from tallybook.model.call import Call
from tallybook.store.feedback import of_call, of_run
from tallybook.store.lake.light import LightStore
from tallybook.store.lake.store import LakeStore

CALL = Call(
    call_id="019c2ef0-91a4-79b2-95f2-598d6ffe3041", started_at_us=1_770_000_000_000_000, operation="chat",
    metadata={"langfuse_observation_id": "obs-1"},
)  # fmt: skip


def line(**told):
    return json.dumps({"kind": "feedback", "call_id": CALL.call_id, "timestamp": "2026-02-02T00:00:01Z", **told})


LINES = [
    line(id="1", name="helpful", value=0.5, data_type="NUMERIC"),
    line(id="2", name="tone", value="warm", timestamp="2026-02-02T00:00:03Z", comment="nice"),
    line(id="1", name="helpful", value=0.9, timestamp="2026-02-02T00:00:05Z"),
    line(
        id="3", name="early", value=True, call_id="obs-1", langfuse_observation_id="obs-1",
        timestamp="2026-02-01T00:00:00Z",
    ),
    line(id="4", name="of another", value=1, call_id="019c2ef0-91a4-79b2-95f2-598d6ffe3042"),
    line(kind="cost", cost_usd=0.5), "{torn",
]  # fmt: skip
EXPECTED = [("early", True), ("tone", "warm"), ("helpful", 0.9)]


def test_they_are_told_oldest_first_and_of_one_told_again_the_last(tmp_path):
    (tmp_path / "a.jsonl").write_text("\n".join(LINES[:2]) + "\n")
    (tmp_path / "b.jsonl").write_text("\n".join(LINES[2:]))
    found = of_call([tmp_path / "a.jsonl", tmp_path / "b.jsonl"], CALL)
    assert [(one.name, one.value) for one in found] == EXPECTED
    assert (found[1].comment, found[1].told_at) == ("nice", "2026-02-02T00:00:03Z")


def test_both_stores_of_a_folder_tell_them_and_costs_are_read_once(tmp_path, monkeypatch):
    day = tmp_path / "2026-02-02"
    day.mkdir()
    (day / "amendments.jsonl").write_text("\n".join(LINES[:5]) + "\n")
    for kind in (LakeStore, LightStore):
        store = kind(tmp_path)
        assert [(one.name, one.value) for one in store.feedback(CALL)] == EXPECTED
        assert store.feedback(Call(call_id="none", started_at_us=1, operation="chat")) == []
        store.close()


def test_amendments_that_are_no_costs_are_not_read_again_for_each_question(tmp_path, monkeypatch):
    from tallybook.model.question import Question
    from tallybook.store.lake import reader

    day = tmp_path / "2026-02-02"
    day.mkdir()
    path = day / "amendments.jsonl"
    path.write_text(LINES[0] + "\n")
    read = []
    original = reader.load_amendments
    monkeypatch.setattr(reader, "load_amendments", lambda *given: read.append(1) or original(*given))
    store = LakeStore(tmp_path)
    question = Question(measures=("cost_nanousd",))
    for _ in range(3):
        store.ask(question)
    assert len(read) == 1
    with path.open("a") as file:
        file.write(LINES[1] + "\n")
    store.ask(question)
    assert len(read) == 2
    store.close()


def test_a_score_that_a_key_of_one_project_told_is_not_of_anothers_call(tmp_path):
    """Ids of observations are the senders' own, so that two projects may have the same."""
    (tmp_path / "a.jsonl").write_text(line(id="1", name="n", value=1, call_id="obs-1",
                                           langfuse_observation_id="obs-1", project="web") + "\n")  # fmt: skip
    for project, seen in ((None, 0), ("atlas", 0), ("web", 1)):
        assert len(of_call([tmp_path / "a.jsonl"], structs.replace(CALL, project=project))) == seen


def test_scores_of_a_run_as_a_whole_are_those_that_name_no_call_of_it(tmp_path):
    told = [
        line(id="1", name="solved", value=True, call_id="trace-1", run_id="trace-1"),
        line(id="2", name="tone", value="warm", run_id="trace-1", langfuse_observation_id="obs-1"),
        line(id="3", name="other", value=1, call_id="trace-2", run_id="trace-2", comment="trace-1"),
        line(id="4", name="foreign", value=1, call_id="trace-1", run_id="trace-1", project="web"),
    ]
    day = tmp_path / "2026-02-02"
    day.mkdir()
    (day / "amendments.jsonl").write_text("\n".join(told) + "\n")
    assert [one.name for one in of_run([day / "amendments.jsonl"], "trace-1", "web")] == ["foreign", "solved"]
    for kind in (LakeStore, LightStore):
        store = kind(tmp_path)
        assert [(one.name, one.value) for one in store.run_feedback("trace-1", "atlas")] == [("solved", True)]
        assert store.run_feedback("none", None) == []
        store.close()
