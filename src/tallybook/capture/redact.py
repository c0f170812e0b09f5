"""Takes secrets and personal data out of text before it is written.

Patterns are of well-known forms (issuers' key prefixes, bearer tokens, private keys, e-mail addresses,
card numbers that pass the Luhn check). What matches becomes `[redacted:<kind>]`, so a reader sees that
masking took place. The application may add patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_KEY = (
    r"\b(?:sk-(?:ant|or|lf)-[\w-]{8,}|(?<!-)sk-(?=[\w-]{0,100}\d)[\w-]{16,}|xai-\w{20,}|gsk_\w{20,}|csk-\w{20,}"
    r"|AIza[\w-]{30,}|ya29\.[\w-]{20,}|hf_\w{20,}|r8_\w{20,}|pplx-\w{20,}|A[KS]IA[0-9A-Z]{16}\b|fw_\w{20,}"
    r"|gh[pousr]_\w{30,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}|[sr]k_(?:live|test)_\w{16,}"
    r"|whsec_\w{20,}|npm_\w{30,}|SG\.[\w-]{16,}\.[\w-]{16,}|dapi[0-9a-f]{32}\b|nvapi-[\w-]{20,}|tvly-[\w-]{16,}"
    r"|pcsk_\w{20,})"
)
_BEARER = r"(?i:\bbearer\s{1,9})(?!\[redacted:)[\w.~+/=-]{15,}[\w~+/=-]"
_JWT = r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"
_PRIVATE = r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)"
_IN_URL = r"(?<=://)[^\s:/@\"'\\]{0,100}:[^\s/@\"'\\]{1,200}(?=@)"
_EMAIL = (
    r"\b(?!git@)[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}(?!(?:png|jpe?g|gif|svg|webp)\b)[A-Za-z]{2,24}\b"
)
_ASSIGNED = (
    r"(?i)(?<![A-Za-z0-9])(?=[aspr])((?:api[_-]?key|secret(?:[_-]?(?:access[_-]?)?key)?|password|passwd"
    r"|(?:access|auth|refresh|session|api)[_-]?token)\\?[\"']?\s{0,9}[:=]\s{0,9}\\?[\"']?)"
    r"(?!\[redacted:)[^\s\"'\\,;]{8,}"
)
"""A name that says what it holds: only the value goes, so that JSON around it stays JSON."""
_CARD = (
    r"(?=[2-6])(?<!\w)(?<!\w[.-])(?:(?:[456]\d{3}|35\d\d|2[2-7]\d\d)([ -]?)\d{4}\1\d{4}\1\d{4}"
    r"|3[47]\d\d([ -]?)\d{6}\2\d{5}|3(?:0[0-5]|[68]\d)\d([ -]?)\d{6}\3\d{4})(?!\w)(?![.-]\w)"
)
"""Lengths, beginnings and groupings that issuers use, standing alone: ids and times have other ones."""

_KINDS = (
    ("-----BEGIN", re.compile(_PRIVATE), "[redacted:private_key]"),
    ("", re.compile(_KEY), "[redacted:key]"),
    ("", re.compile(_BEARER), "[redacted:token]"),
    ("eyJ", re.compile(_JWT), "[redacted:token]"),
    ("://", re.compile(_IN_URL), "[redacted:secret]"),
    ("", re.compile(_ASSIGNED), r"\1[redacted:secret]"),
    ("@", re.compile(_EMAIL), "[redacted:email]"),
)
"""What a text must hold for the pattern to be tried at all, the pattern, and what takes its place."""
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
    return "[redacted:card]" if _luhn(re.sub(r"\D", "", match.group())) else match.group()


def _own(match: re.Match[str]) -> str:
    return "[redacted:custom]" if match.group() else ""


class Redactor:
    """Replaces what the built-in and the given patterns match. Raises re.error for a bad pattern, at once."""

    def __init__(self, patterns: Iterable[str] = (), *, enabled: bool = True) -> None:
        self._own = [re.compile(pattern) for pattern in patterns]
        self._enabled = enabled

    def __call__(self, text: str) -> str:
        """`text` with every match replaced by `[redacted:<kind>]`."""
        if not self._enabled:
            return text
        for mark, pattern, instead in _KINDS:
            if mark in text:
                text = pattern.sub(instead, text)
        text = _CARDS.sub(_card, text)
        for pattern in self._own:
            text = pattern.sub(_own, text)
        return text
