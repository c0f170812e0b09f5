"""Takes secrets and personal data out of text before it is written.

Patterns are of well-known forms (issuers' key prefixes, bearer tokens, private keys, e-mail addresses,
card numbers that pass the Luhn check). What matches becomes `[redacted:<kind>]`, so a reader sees that
masking took place. The application may add patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_KEY = (
    r"\b(?:sk-ant-[\w-]{8,}|sk-or-[\w-]{8,}|sk-(?:proj-|svcacct-|admin-)?[\w-]{16,}|xai-\w{20,}|gsk_\w{20,}"
    r"|AIza[\w-]{30,}|ya29\.[\w-]{20,}|hf_\w{20,}|r8_\w{20,}|pplx-\w{20,}|AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}"
    r"|gh[pousr]_\w{30,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}|sk_live_\w{16,}|rk_live_\w{16,}"
    r"|npm_\w{30,}|SG\.[\w-]{16,}\.[\w-]{16,})"
)
_BEARER = r"(?i:\bbearer\s+)[\w.~+/=-]{16,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"
_PRIVATE = r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
_EMAIL = r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,24}\b"
_ASSIGNED = (
    r"(?i)\b(?:api[_-]?key|secret|password|passwd|access[_-]?token)\b\\?[\"']?\s*[:=]\s*\\?[\"']?[^\s\"'\\,;]{8,}"
)
_CARD = r"(?<![\d.])(?:\d[ -]?){12,18}\d(?![\d.])"

_KINDS = (
    ("private_key", re.compile(_PRIVATE)),
    ("key", re.compile(_KEY)),
    ("token", re.compile(_BEARER)),
    ("secret", re.compile(_ASSIGNED)),
    ("email", re.compile(_EMAIL)),
)
_CARDS = re.compile(_CARD)


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def _card(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match.group())
    return "[redacted:card]" if 13 <= len(digits) <= 19 and _luhn(digits) else match.group()


class Redactor:
    """Replaces what the built-in and the given patterns match. Raises re.error for a bad pattern, at once."""

    def __init__(self, patterns: Iterable[str] = (), *, enabled: bool = True) -> None:
        self._own = [re.compile(pattern) for pattern in patterns]
        self._enabled = enabled

    def __call__(self, text: str) -> str:
        """`text` with every match replaced by `[redacted:<kind>]`."""
        if not self._enabled:
            return text
        for kind, pattern in _KINDS:
            text = pattern.sub(f"[redacted:{kind}]", text)
        text = _CARDS.sub(_card, text)
        for pattern in self._own:
            text = pattern.sub("[redacted:custom]", text)
        return text
