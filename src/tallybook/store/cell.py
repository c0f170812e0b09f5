"""Values of a row as JSON has them: times as ISO text, exact decimals as text, the rest by its parts."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any


def cell(value: Any) -> Any:
    """A value that JSON has. What is not a number is null there."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else str(value)
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict):
        return {str(key): cell(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [cell(part) for part in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
