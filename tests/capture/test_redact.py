"""Secrets and personal data go, everything else stays, and no text takes long."""

from __future__ import annotations

import hashlib
import random
import re
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.capture.redact import Redactor

redact = Redactor()
A24 = "Abcdefgh1jklmnopqrstuvwx"
HEX32 = "0123456789abcdef0123456789abcdef"

SECRETS = {
    "sk-" + A24 * 2: "key",
    "sk-proj-" + A24 + "_-" + A24: "key",
    "sk-svcacct-" + A24: "key",
    "sk-ant-api03-" + A24: "key",
    "sk-or-v1-" + HEX32: "key",
    "sk-lf-" + HEX32: "key",
    "xai-" + A24: "key",
    "gsk_" + A24: "key",
    "csk-" + A24: "key",
    "AIzaSy" + A24 + "abcdefghi": "key",
    "ya29." + A24: "key",
    "hf_" + A24: "key",
    "r8_" + A24: "key",
    "pplx-" + A24: "key",
    "AKIAIOSFODNN7EXAMPLE": "key",
    "ghp_" + A24 + "abcdefgh1234": "key",
    "github_pat_" + A24: "key",
    "glpat-" + A24: "key",
    "xoxb-123456789012-" + A24: "key",
    "sk_live_" + A24: "key",
    "rk_test_" + A24: "key",
    "npm_" + A24 + "abcdefgh1234": "key",
    "SG." + A24 + "." + A24: "key",
    "dapi" + HEX32: "key",
    "nvapi-" + A24: "key",
    "tvly-dev-" + A24: "key",
    "Bearer " + A24: "token",
    "BEARER  abc.def~ghi+jkl/mno=": "token",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U": "token",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----": "private_key",
    "-----BEGIN PRIVATE KEY-----\\nMIIEow\\n-----END PRIVATE KEY-----": "private_key",
    "jane.doe+news@mail.example.co.uk": "email",
    "x@example.com": "email",
    "4111 1111 1111 1111": "card",
    "4111111111111111": "card",
    "5500-0055-5555-5559": "card",
    "2223003122003222": "card",
    "378282246310005": "card",
    "3782 822463 10005": "card",
    "6011111111111117": "card",
    "3530111333300000": "card",
    "30569309025904": "card",
}

HARMLESS = [
    "a plain sentence about risk-management and sk-learn, disk-encryption-at-rest-policy",
    "sk-toolbar-container-wide-header",
    "123e4567-e89b-12d3-a456-426614174000",
    "12345678-1234-4123-8123-123456789012",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "sha256:" + HEX32 * 2,
    "1737973845",
    "1737973845123",
    "1795348800000000",
    "1795348800000000000",
    "2026-11-22T12:00:00.123456Z",
    "2026-11-22 12:00:00",
    "1234567890123456",
    "4111111111111112",
    "4111 1111 1111 111",
    "4111 1111-1111 1111",
    "14111111111111111",
    "x4111111111111111",
    "4111111111111111.5",
    "0.4111111111111111",
    "9007199254740993",
    "+49 30 901820",
    "10.0.0.1:8080",
    "3.14159265358979323846",
    "npm install react@18.2.0 @scope/package",
    "git clone git@github.com:owner/repo.git",
    "user@localhost",
    "icon@2x.png",
    "@dataclass def f(a @ b)",
    "https://example.com:8080/path?q=1",
    "the bearer of this letter",
    "max_tokens=4096, token: 12",
    "secret: no",
    "password reset link",
    "eyJust.kidding.here",
    "[redacted:key] api_key=[redacted:key]",
    '{"input_tokens":1200,"cached_tokens":1024,"id":"chatcmpl-9xYzAbCdEfGhIjKlMnOpQrStUvWxY"}',
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("frame", ["{}", "see {}, please", '{{"a":"{}"}}', "({})", "it is {}."])
def test_a_secret_is_replaced_by_its_kind_and_nothing_around_it(secret: str, frame: str) -> None:
    assert redact(frame.format(secret)) == frame.format(f"[redacted:{SECRETS[secret]}]")


def test_a_private_key_that_was_cut_off_takes_what_follows() -> None:
    assert redact("key: -----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r") == "key: [redacted:private_key]"


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("OPENAI_API_KEY=abcd1234wxyz", "OPENAI_API_KEY=[redacted:secret]"),
        ('export DB_PASSWORD="correct-horse"', 'export DB_PASSWORD="[redacted:secret]"'),
        ('{"api_key": "abcd1234wxyz", "a": 1}', '{"api_key": "[redacted:secret]", "a": 1}'),
        (r"{\"password\":\"hunter2hunter2\"}", r"{\"password\":\"[redacted:secret]\"}"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = [redacted:secret]"),
        ("client_secret: abcdefgh1", "client_secret: [redacted:secret]"),
        ("refresh-token='abcdefgh1'", "refresh-token='[redacted:secret]'"),
        ("postgres://app:s3cr3t@db.local:5432/x", "postgres://[redacted:secret]@db.local:5432/x"),
        ("redis://:s3cr3t@cache", "redis://[redacted:secret]@cache"),
    ],
)
def test_of_a_named_secret_only_the_value_goes(text: str, masked: str) -> None:
    assert redact(text) == masked
    assert redact(masked) == masked


def test_several_kinds_in_one_text_all_go() -> None:
    text = f"from jane@example.com with sk-ant-api03-{A24} and 4111 1111 1111 1111"
    assert redact(text) == "from [redacted:email] with [redacted:key] and [redacted:card]"


def test_random_ids_are_never_taken_for_cards_or_keys() -> None:
    chance = random.Random(7)
    for _ in range(3_000):
        raw = chance.randbytes(20)
        for text in (str(uuid.UUID(bytes=raw[:16])), hashlib.sha1(raw).hexdigest(), raw.hex()):
            assert redact(text) == text


@given(st.text())
def test_masking_a_second_time_changes_nothing(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


def test_own_patterns_are_masked_too_and_a_match_of_nothing_is_none() -> None:
    mine = Redactor([r"ACME-\d+", r"x*", r"\bsecret\b"])
    assert (
        mine("ACME-1234 xx secret a@b.example")
        == "[redacted:custom] [redacted:custom] [redacted:custom] [redacted:email]"
    )


def test_switched_off_it_masks_nothing() -> None:
    assert Redactor(["a"], enabled=False)("jane@example.com a") == "jane@example.com a"


def test_a_bad_pattern_is_told_at_once() -> None:
    with pytest.raises(re.error):
        Redactor(["("])


def best_of(times: int, text: str) -> float:
    found = []
    for _ in range(times):
        started = time.process_time()
        redact(text)
        found.append(time.process_time() - started)
    return min(found)


def test_a_hundred_kilobytes_take_less_than_fifty_milliseconds() -> None:
    prose = "The ledger of model calls, 2026-11-22: every request is recorded once, priced to the cent. " * 1_120
    code = '{"role":"user","content":"def f(x):\\n    return x*2 # id 3f2a-11","n":123456}, ' * 1_300
    assert len(prose) > 100_000 and len(code) > 100_000
    assert best_of(7, prose) < 0.05
    assert best_of(7, code) < 0.05


@pytest.mark.parametrize(
    "piece",
    [
        "a.", "a-", "a@", "a@b.", "sk-", "sk-a", "sk-aaaaaaaaaaaaaaa", "eyJaaaaaaaa-", "eyJaaaaaaaa.", "bearer ", "://a:",
        "://", "password ", "password: ", "api_key=", "4111 ", "4111-", "1 ", "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "PRIVATE ", "SG.aaaaaaaaaaaaaaaaa", "xox-", "AIza", "\\\"", "=:", "@@", "\n", " ", "a", "1", "é", "A-A.A_",
    ],
)  # fmt: skip
def test_no_repetition_makes_it_slow(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    assert best_of(1, text) < 1.0
    assert best_of(1, text + "\n" + text[::-1]) < 2.0
