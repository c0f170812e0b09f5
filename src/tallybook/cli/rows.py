"""Reports as flat rows for CSV. Keys are those of the JSON; a section's rows name the section and its value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tallybook.model.money import usd
from tallybook.query.plain import plain
from tallybook.query.totals import Group


def flat(data: Mapping[str, Any], currency: str = "USD") -> dict[str, Any]:
    """One level of keys, without lists of parts; amounts in USD as exact decimals, and `cost` only where it differs."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        if key == "previous" and isinstance(value, dict):
            found.update({f"previous_{name}": part for name, part in flat(value, currency).items()})
        elif key.endswith("_usd") and f"{key[:-4]}_nanousd" in data:
            nano = data[f"{key[:-4]}_nanousd"]
            found[key] = None if nano is None else format(usd(nano), "f")
        elif key == "cost":
            if currency != "USD":
                found[f"cost_{currency.lower()}"] = value
        elif key == "models":
            found[key] = " ".join(value)
        elif not key.endswith("_nanousd") and key != "breakdown":
            found[key] = value
    return found


def of(groups: Iterable[Group], currency: str = "USD") -> Iterator[dict[str, Any]]:
    """One row a group; its parts follow it as rows of their own where it has any."""
    for group in groups:
        if not group.parts:
            yield flat(plain(group), currency)
        for part in group.parts:
            yield flat({**group.by, **plain(part)}, currency)


def sections(total: Group, found: Mapping[str, Sequence[Group]], currency: str = "USD") -> Iterator[dict[str, Any]]:
    """A row for the total, then one for each group, all with the same columns."""
    rows = [{"section": "total", "value": None, **flat(plain(total), currency)}]
    for dimension, groups in found.items():
        for group in groups:
            data = flat(plain(group), currency)
            rows.append({"section": dimension, "value": data.pop(dimension), **data})
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for row in rows:
        yield {name: row.get(name) for name in columns}
