"""The price book: its cache, and what a warm look-up may cost and import."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tallybook.model.errors import SettingError
from tallybook.prices import book as book_module
from tallybook.prices.base import Key
from tallybook.prices.book import PriceBook

GPT = Key("openai", "gpt-4o")
NONE = Key("openai", "no-such-model")


def test_known_and_unknown_models_are_both_answered() -> None:
    found = PriceBook().rates([GPT, NONE, GPT])
    assert found[GPT][0].input_picousd == 2_500_000
    assert found[NONE] == ()
    assert PriceBook().rates([]) == {}


def test_free_models_are_free_and_cost_no_look_up() -> None:
    (rate,) = PriceBook().rates([Key("ollama", "llama3.2")])[Key("ollama", "llama3.2")]
    assert rate.is_free


WARM = """
import sys, time
from pathlib import Path
import msgspec
from tallybook.prices.base import Key
from tallybook.prices.book import PriceBook
models = ("gpt-4o", "gpt-5", "o3", "claude-opus-4-6", "gemini-2.5-pro", "no-such-model")
keys = [Key(p, m) for m in models for p in ("openai", "anthropic", "google", "azure", "unknown")]
started = time.perf_counter()
found = PriceBook(Path(sys.argv[1])).rates(keys)
spent = time.perf_counter() - started
heavy = [name for name in ("genai_prices", "pydantic", "httpx", "httpx2", "duckdb") if name in sys.modules]
print(len(found), sum(map(bool, found.values())), spent * 1000, heavy)
"""


def warm(folder: Path) -> tuple[int, int, float, str]:
    got = subprocess.run([sys.executable, "-c", WARM, str(folder)], capture_output=True, text=True, check=True)
    count, known, spent, heavy = got.stdout.split(maxsplit=3)
    return int(count), int(known), float(spent), heavy.strip()


def test_a_warm_look_up_of_thirty_keys_takes_under_three_milliseconds_and_imports_nothing_heavy(tmp_path: Path) -> None:
    cold = warm(tmp_path)
    assert "genai_prices" in cold[3]
    runs = [warm(tmp_path) for _ in range(5)]
    assert all(run[:2] == cold[:2] == (30, cold[1]) and run[3] == "[]" for run in runs)
    assert min(run[2] for run in runs) < 3


def test_negative_results_are_kept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PriceBook(tmp_path).rates([NONE])
    monkeypatch.setattr(PriceBook, "_resolve", lambda *_: pytest.fail("looked up again"))
    assert PriceBook(tmp_path).rates([NONE]) == {NONE: ()}


def test_what_the_cache_gives_back_equals_what_was_looked_up(tmp_path: Path) -> None:
    keys = [
        GPT,
        Key("anthropic", "claude-opus-4-6", "fast"),
        Key("deepseek", "deepseek-chat"),
        Key("openai", "o3", None, True),
    ]
    first = PriceBook(tmp_path).rates(keys)
    assert PriceBook(tmp_path).rates(keys) == first == PriceBook().rates(keys)


@pytest.mark.parametrize("damage", [b"", b"{", b"\x00" * 64, b"[]", b'{"version": 3}'])
def test_a_damaged_cache_is_ignored_and_written_anew(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "prices-cache.json"
    path.write_bytes(damage)
    assert PriceBook(tmp_path).rates([GPT])[GPT]
    assert json.loads(path.read_bytes())["rates"]


def test_a_cache_of_another_version_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PriceBook(tmp_path).rates([GPT])
    path = tmp_path / "prices-cache.json"
    text = path.read_text().replace("2500000", "1")
    path.write_text(text)
    assert PriceBook(tmp_path).rates([GPT])[GPT][0].input_picousd == 1, "the cache was not used at all"
    monkeypatch.setattr(book_module, "_RULES", book_module._RULES + 1)
    assert PriceBook(tmp_path).rates([GPT])[GPT][0].input_picousd == 2_500_000


def test_the_cache_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "_CACHED_KEYS_MAX", 5)
    PriceBook(tmp_path).rates([Key("ollama", f"m{number}") for number in range(9)])
    kept = json.loads((tmp_path / "prices-cache.json").read_bytes())["rates"]
    assert len(kept) == 5
    assert any("m8" in name for name in kept)


def test_a_cache_that_cannot_be_written_still_gives_prices_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "prices-cache.json").mkdir()
    assert PriceBook(tmp_path).rates([GPT])[GPT]
    assert [path.name for path in tmp_path.iterdir()] == ["prices-cache.json"]


def test_a_folder_that_is_absent_still_gives_prices(tmp_path: Path) -> None:
    assert PriceBook(tmp_path / "absent").rates([GPT])[GPT]
    assert not (tmp_path / "absent").exists()


def test_the_users_file_beside_the_cache_wins_and_a_change_of_it_is_seen(tmp_path: Path) -> None:
    assert PriceBook(tmp_path).rates([GPT])[GPT][0].input_picousd == 2_500_000
    path = tmp_path / "prices.toml"
    path.write_text('[[price]]\nprovider = "openai"\nmodel = "gpt-4o"\ninput = 1\noutput = 2\n')
    assert PriceBook(tmp_path).rates([GPT])[GPT][0].input_picousd == 1_000_000
    time.sleep(0.01)
    path.write_text('[[price]]\nprovider = "openai"\nmodel = "gpt-4o"\ninput = 3\noutput = 2\n')
    assert PriceBook(tmp_path).rates([GPT])[GPT][0].input_picousd == 3_000_000


def test_the_users_file_may_make_a_local_model_cost_something(tmp_path: Path) -> None:
    key = Key("vllm", "my-model")
    path = tmp_path / "own.toml"
    path.write_text('[[price]]\nprovider = "vllm"\nmodel = "my-model"\ninput = 0.2\noutput = 0.2\n')
    (rate,) = PriceBook(tmp_path, prices_file=path).rates([key])[key]
    assert not rate.is_free


def test_a_price_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"absent\.toml"):
        PriceBook(tmp_path, prices_file=tmp_path / "absent.toml").rates([GPT])
