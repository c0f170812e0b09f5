"""A running ratio of actual tokens to estimated ones, by model: what estimates of its texts are corrected with.

An estimate misses what it cannot know: a tokenizer that is newer than ours, a model behind a name that tells nothing.
Where texts and the provider's count of them are both known, their ratio says by how much. It is kept in
`token-ratios.json` in the ledger's folder; `query.learn` fills it from stored responses, and whoever makes calls may
`add` to one of their own. Without data, or with too little or absurd data, there is no correction (`factor` is 1).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

FILE_NAME = "token-ratios.json"

Basis = Literal["characters", "tokenizer"]
"""What an estimate was made with: the count of character classes, or a real tokenizer. Each has ratios of its own."""

CALLS_MIN = 5
ESTIMATED_MIN = 1_000
"""Texts and estimated tokens from which on a ratio is used. Below, chance weighs more than the tokenizer."""
ESTIMATED_MAX = 200_000
"""Estimated tokens that a ratio remembers: beyond, what is older is scaled down, so that it follows changes."""
FACTOR_MIN, FACTOR_MAX = 0.5, 2.0
"""A ratio outside of this is not the tokenizer's: texts and counts do not belong together. It is not used."""
MODELS_MAX = 1_000
"""Models kept; names come from applications. Beyond: those with the fewest tokens go."""


class Observed(msgspec.Struct):
    """Sums over the texts of one model, scaled down as they age."""

    estimated: float = 0.0
    actual: float = 0.0
    calls: int = 0


class Ratios(msgspec.Struct):
    """Ratios by model and basis. Not safe for use by several threads at once."""

    models: dict[str, dict[str, Observed]] = {}
    until_us: int = 0
    """Calls that began up to then are in it."""

    def add(self, model: str, basis: Basis, estimated: int, actual: int) -> None:
        """Take one text in: its estimate (uncorrected) and the provider's count. Counts of 0 say nothing."""
        if estimated <= 0 or actual <= 0:
            return
        of_model = self.models.setdefault(_name(model), {})
        found = of_model.setdefault(basis, Observed())
        found.estimated += estimated
        found.actual += actual
        found.calls += 1
        if found.estimated > ESTIMATED_MAX:
            scale = ESTIMATED_MAX / found.estimated
            found.estimated *= scale
            found.actual *= scale

    def factor(self, model: str | None, basis: Basis) -> float:
        """What an estimate of the model's text is multiplied by; 1 where nothing, or not enough, is known."""
        found = self.models.get(_name(model or ""), {}).get(basis)
        if found is None or found.calls < CALLS_MIN or found.estimated < ESTIMATED_MIN:
            return 1.0
        ratio = found.actual / found.estimated
        return ratio if FACTOR_MIN <= ratio <= FACTOR_MAX else 1.0


def read(folder: Path) -> Ratios:
    """The ratios kept in a folder; empty ones where there are none, or the file is damaged (it is learnt anew)."""
    try:
        return msgspec.json.decode((folder / FILE_NAME).read_bytes(), type=Ratios)
    except (OSError, msgspec.DecodeError):
        return Ratios()


def write(folder: Path, ratios: Ratios) -> None:
    """Replace the file as a whole. Raises OSError."""
    if len(ratios.models) > MODELS_MAX:
        size = {name: sum(one.estimated for one in bases.values()) for name, bases in ratios.models.items()}
        kept = sorted(size, key=lambda name: -size[name])[:MODELS_MAX]
        ratios = Ratios({name: ratios.models[name] for name in kept}, ratios.until_us)
    temporary = folder / f"{FILE_NAME}.{os.getpid()}.tmp"
    temporary.write_bytes(msgspec.json.encode(ratios))
    temporary.replace(folder / FILE_NAME)


def _name(model: str) -> str:
    return model.strip().lower()
