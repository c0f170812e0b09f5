"""Settings: who wins, how each is read, what a wrong one says, and which folder holds the ledger."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tallybook import config
from tallybook.config import NAMES, Settings, load
from tallybook.model.errors import SettingError

SEED_NAMES = {
    "LLM_TELEMETRY_STORAGE_ENABLED": ("false", "enabled", False),
    "LLM_TELEMETRY_DIR": ("/ledger", "folder", Path("/ledger")),
    "LLM_STORE_PROMPTS": ("true", "prompts", "full"),
    "LLM_STORE_RESPONSES": ("true", "responses", "full"),
    "LLM_RETENTION_DAYS": ("7", "retention_days", 7),
    "LLM_STORAGE_MAX_SIZE_MB": ("250", "storage_max_mb", 250),
}


@pytest.fixture(autouse=True)
def _data_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def settings(tmp_path: Path, environ: dict[str, str] | None = None, **given: Any) -> Settings:
    return load(environ or {}, tmp_path, **given)


@pytest.mark.parametrize("variable", SEED_NAMES)
def test_the_six_names_of_the_seed_are_accepted_as_they_are(tmp_path: Path, variable: str) -> None:
    text, field, value = SEED_NAMES[variable]
    assert getattr(settings(tmp_path, {variable: text}), field) == value


def test_code_wins_over_our_variable_that_over_the_seeds_that_over_the_file_and_that_over_the_default(
    tmp_path: Path,
) -> None:
    assert settings(tmp_path).retention_days == 30
    (tmp_path / "tallybook.toml").write_text("retention_days = 1\n")
    assert settings(tmp_path).retention_days == 1
    environ = {"LLM_RETENTION_DAYS": "2"}
    assert settings(tmp_path, environ).retention_days == 2
    environ["TALLYBOOK_RETENTION_DAYS"] = "3"
    assert settings(tmp_path, environ).retention_days == 3
    assert settings(tmp_path, environ, retention_days=4).retention_days == 4
    assert settings(tmp_path, environ, retention_days=None).retention_days == 3


def test_an_empty_variable_is_as_one_that_is_not_set(tmp_path: Path) -> None:
    environ = {"TALLYBOOK_RETENTION_DAYS": "", "LLM_RETENTION_DAYS": "2", "TALLYBOOK_PROJECT": ""}
    found = settings(tmp_path, environ)
    assert (found.retention_days, found.project) == (2, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [("none", "none"), ("Preview", "preview"), ("FULL", "full"), ("true", "full"), ("0", "none"), ("off", "none")],
)
def test_bodies_are_none_preview_or_full_and_a_truth_value_is_full_or_none(
    tmp_path: Path, text: str, value: str
) -> None:
    assert settings(tmp_path, {"TALLYBOOK_PROMPTS": text}).prompts == value


@pytest.mark.parametrize(
    ("given", "value"), [(False, "none"), (True, "full"), ("false", "none"), ("Preview", "preview"), ("none", "none")]
)
def test_bodies_given_in_code_are_read_as_anywhere_else(tmp_path: Path, given: object, value: str) -> None:
    assert settings(tmp_path, prompts=given).prompts == value
    assert settings(tmp_path, responses=given).responses == value


def test_everything_can_be_given_in_code(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        folder=tmp_path / "here",
        enabled="no",
        redact=False,
        redact_patterns=("a+", r"line\nbreak"),
        fsync="always",
        storage_max_mb="12",
        prices_file="prices.toml",
        timezone="Europe/Berlin",
    )
    assert found == Settings(
        folder=tmp_path / "here",
        enabled=False,
        redact=False,
        redact_patterns=("a+", r"line\nbreak"),
        fsync="always",
        storage_max_mb=12,
        prices_file=Path("prices.toml"),
        timezone="Europe/Berlin",
    )


@pytest.mark.parametrize(
    ("variable", "text", "told"),
    [
        ("TALLYBOOK_ENABLED", "flase", "must be true or false"),
        ("TALLYBOOK_PROMPTS", "some", "must be true or false"),
        ("TALLYBOOK_FSYNC", "sometimes", "must be one of never, always"),
        ("TALLYBOOK_STREAM_USAGE", "x", "must be one of auto, never"),
        ("LLM_RETENTION_DAYS", "a week", "must be a whole number, 0 or more"),
        ("TALLYBOOK_RETENTION_DAYS", "-1", "must be a whole number, 0 or more"),
        ("TALLYBOOK_REDACT_PATTERNS", "(", "is no regular expression"),
    ],
)
def test_a_wrong_value_says_which_setting_what_it_holds_and_what_is_allowed(
    tmp_path: Path, variable: str, text: str, told: str
) -> None:
    with pytest.raises(SettingError) as caught:
        settings(tmp_path, {variable: text})
    assert str(caught.value).startswith(f"{variable}={text!r}: ")
    assert told in str(caught.value)
    assert caught.value.hint


def test_a_wrong_value_in_code_says_so_too(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="fsync='often': must be one of never, always"):
        settings(tmp_path, fsync="often")
    with pytest.raises(SettingError, match="unknown setting 'colour'") as caught:
        settings(tmp_path, colour="red")
    assert "redact_patterns" in str(caught.value.hint)


def test_a_file_above_the_working_directory_is_read_and_its_paths_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "tallybook.toml").write_text(
        'dir = "ledger"\nprompts = true\nredact_patterns = ["a+", "b+"]\nenabled = false\n'
        'prices_file = "~/prices.toml"\nrates_file = "rates.csv"\n'
    )
    below = tmp_path / "src" / "deep"
    below.mkdir(parents=True)
    found = load({}, below)
    assert found.folder == tmp_path / "ledger"
    assert (found.prompts, found.redact_patterns, found.enabled) == ("full", ("a+", "b+"), False)
    assert found.prices_file == Path.home() / "prices.toml"
    assert found.rates_file == tmp_path / "rates.csv"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prompts = ", "tallybook.toml"),
        ("colour = 1\n", "unknown setting 'colour'"),
        ("retention_days = -3\n", "retention_days = -3: must be a whole number"),
        ("redact_patterns = [1, '(']\n", "is no regular expression"),
        ("[prompts]\nx = 1\n", "prompts = "),
    ],
)
def test_a_wrong_file_says_which_file_and_where(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "tallybook.toml").write_text(text)
    with pytest.raises(SettingError) as caught:
        settings(tmp_path)
    assert str(tmp_path / "tallybook.toml") in str(caught.value)
    assert told in str(caught.value)


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"missing\.toml"):
        settings(tmp_path, {"TALLYBOOK_CONFIG": str(tmp_path / "missing.toml")})
    (tmp_path / "other.toml").write_text("currency = 'EUR'\n")
    (tmp_path / "tallybook.toml").write_text("currency = 'CHF'\n")
    assert settings(tmp_path, {"TALLYBOOK_CONFIG": str(tmp_path / "other.toml")}).currency == "EUR"


def test_each_wrong_setting_is_told_and_left_at_its_default_while_the_others_hold(tmp_path: Path) -> None:
    (tmp_path / "tallybook.toml").write_text("colour = 1\nproject = 'shop'\n")
    told: list[SettingError] = []
    found = load(
        {"TALLYBOOK_ENABLED": "false", "LLM_RETENTION_DAYS": "week", "TALLYBOOK_DIR": "/ledger"},
        tmp_path,
        tell=told.append,
        fsync="often",
    )
    assert found == Settings(folder=Path("/ledger"), enabled=False, project="shop")
    assert len(told) == 3


def test_where_the_masking_cannot_be_used_no_body_is_stored(tmp_path: Path) -> None:
    told: list[SettingError] = []
    environ = {"TALLYBOOK_PROMPTS": "full", "TALLYBOOK_RESPONSES": "full", "TALLYBOOK_REDACT_PATTERNS": "("}
    found = load(environ, tmp_path, tell=told.append)
    assert (found.prompts, found.responses, len(told)) == ("none", "none", 1)


def test_a_file_that_is_no_toml_leaves_the_environment_in_force(tmp_path: Path) -> None:
    (tmp_path / "tallybook.toml").write_bytes(b"\xff\xfe = [")
    told: list[SettingError] = []
    assert load({"TALLYBOOK_PROJECT": "shop"}, tmp_path, tell=told.append).project == "shop"
    assert len(told) == 1


def test_an_existing_folder_here_or_above_is_used_else_the_users_own(tmp_path: Path) -> None:
    below = tmp_path / "src"
    below.mkdir()
    assert load({}, below).folder == tmp_path / "data" / "tallybook"
    (tmp_path / ".llm-telemetry").mkdir()
    assert load({}, below).folder == tmp_path / ".llm-telemetry"
    (below / ".llm-telemetry").write_text("a file is no folder")
    assert load({}, below).folder == tmp_path / "data" / "tallybook"


def test_the_folder_is_absolute_whatever_was_said(tmp_path: Path) -> None:
    assert load({"TALLYBOOK_DIR": "ledger"}, tmp_path).folder == tmp_path / "ledger"
    assert load({"TALLYBOOK_DIR": "~/ledger"}, tmp_path).folder == Path.home() / "ledger"
    assert load({}, tmp_path, folder="~/ledger").folder == Path.home() / "ledger"


def test_a_folder_above_that_may_not_be_looked_into_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.stat

    def forbidding(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        if os.fspath(path) in (str(tmp_path / ".llm-telemetry"), str(tmp_path / "tallybook.toml")):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", forbidding)
    assert load({}, tmp_path).folder == tmp_path / "data" / "tallybook"


def test_a_working_directory_that_was_removed_is_no_reason_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert load({"TALLYBOOK_DIR": "/ledger"}).folder == Path("/ledger")


def test_every_setting_has_a_variable_and_every_variable_a_setting() -> None:
    assert {name.field for name in NAMES} == set(Settings.__struct_fields__)
    assert all(name.variable.startswith("TALLYBOOK_") for name in NAMES)
    assert {name.seed for name in NAMES if name.seed} == set(SEED_NAMES)


def test_the_process_environment_is_read_where_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYBOOK_DIR", str(tmp_path / "ledger"))
    monkeypatch.chdir(tmp_path)
    assert config.load().folder == tmp_path / "ledger"
