"""Errors say what, where and how to mend."""

from __future__ import annotations

from tallybook.model.errors import DamagedFile, InputError, NotFound, SettingError, StorageError, TallybookError


def test_all_errors_are_of_one_tree() -> None:
    assert all(issubclass(kind, TallybookError) for kind in (SettingError, InputError, StorageError, NotFound))
    assert issubclass(DamagedFile, StorageError)


def test_an_input_error_names_its_field_and_the_remedy() -> None:
    error = InputError("must be a number", field="tokens.input", hint="see docs/journal.md")
    assert (str(error), error.field, error.hint) == ("must be a number", "tokens.input", "see docs/journal.md")


def test_a_damaged_file_names_itself_and_the_byte() -> None:
    error = DamagedFile("a/telemetry.jsonl", 42, "no JSON")
    assert str(error) == "a/telemetry.jsonl: damaged at byte 42: no JSON"
    assert (error.path, error.offset, error.reason) == ("a/telemetry.jsonl", 42, "no JSON")
    assert error.hint
