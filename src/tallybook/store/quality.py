"""How good a record of a call is: of several records of one call the best stays, in memory, in SQL and in run totals.

The smaller the better: with usage, then first-hand, then with the provider's id,
then the latest revision. Of equals the one that began earlier
stays, then the one with the smaller id; one that is sealed stays against an equal.

A record that may be corrected by a later one of the same call says which revision it is, by the flag `revision:N`: N
grows with each. It stands among the flags, and not in a column of its own, so that files that were sealed before are
read as ever: they hold no revision.
"""

from __future__ import annotations

from collections.abc import Iterable

from tallybook.model.call import Call

Quality = tuple[bool, bool, bool, int]

REVISION = "revision:"
"""Beginning of the flag."""
_DIGITS = 18
"""Of a revision, so that it fits 64 bits. Microseconds since 1970 have 16."""
_REVISIONS = 2**60
"""More than eighteen digits can tell."""

NO_USAGE_SQL = "(input_tokens IS NULL AND output_tokens IS NULL)"
REVISION_SQL = (
    "CASE WHEN contains(flags, '\"revision:') THEN "
    "coalesce(TRY_CAST(regexp_extract(flags, '\"revision:([0-9]{1,18})\"', 1) AS BIGINT), 0) ELSE 0 END"
)
SQL = (NO_USAGE_SQL, "may_repeat", "(response_id IS NULL)", f"-({REVISION_SQL})")
"""The same of a row of the table `calls`."""
COLUMNS = ("input_tokens", "output_tokens", "may_repeat", "response_id", "flags")
"""Columns that it follows from."""


def revision_of(flags: Iterable[str]) -> int:
    """Which revision a record is; 0 for one that is not corrected."""
    for flag in flags:
        if flag.startswith(REVISION):
            digits = flag.removeprefix(REVISION)
            return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS else 0
    return 0


def revised(flags: Iterable[str], revision: int) -> tuple[str, ...]:
    """Flags that say which revision a record is."""
    return (*(flag for flag in flags if not flag.startswith(REVISION)), f"{REVISION}{revision}")


def quality(call: Call) -> Quality:
    """How good the record is."""
    is_blind = call.usage.input_tokens is None and call.usage.output_tokens is None
    revision = revision_of(call.flags) if call.flags else 0
    return is_blind, call.may_repeat, call.response_id is None, -revision


def quality_number(call: Call) -> int:
    """The same as one number of 63 bits, for where records are kept in rows."""
    is_blind, may_repeat, is_nameless, revision = quality(call)
    return (4 * is_blind + 2 * may_repeat + is_nameless) * _REVISIONS + _REVISIONS - 1 + revision
