"""`/api/v1/prices`: the prices in force and where they come from; what calls would have cost on another model."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.model.errors import InputError
from tallybook.model.limits import FIELD_CHARS
from tallybook.query.other_model import compared
from tallybook.query.plain import report
from tallybook.query.price_list import prices
from tallybook.server.context import Context
from tallybook.server.error import json
from tallybook.server.given import SCOPE, Given
from tallybook.server.identity import identity_of
from tallybook.server.route import Param, Route
from tallybook.store.base import CallStore
from tallybook.store.open import open_prices

DAYS = 30
"""Covered where no time is given."""
_ON = (
    Param("on", "The model that the calls are imagined on.", example="gpt-5.4"),
    Param("on_provider", "Who sells it, where the name alone does not tell."),
)
_FRESH = {"cache-control": "no-store"}
"""Prices may change while the ledger does not."""


async def get_prices(request: Request, context: Context) -> Response:
    """Sources of prices, and the models that are used with theirs."""
    scope = Given(request).scope(request, context, days=DAYS)
    settings, now_us = context.settings, context.now_us()
    found = await context.read(lambda store: prices(store, scope, settings, open_prices(settings), now_us))
    if identity_of(request).role != "admin":  # Paths tell of the machine.
        own = [msgspec.structs.replace(one, faults=[], where=one.where and "prices.toml")
               if one.source == "own" else one for one in found.sources]  # fmt: skip
        found = msgspec.structs.replace(found, sources=own)
    return json(report("prices", found), headers=_FRESH)


async def get_other_model(request: Request, context: Context) -> Response:
    """What calls would have cost on another model."""
    given = Given(request, _ON)
    on, by = given.one("on"), given.one("on_provider")
    if on is None or max(len(on), len(by or "")) > FIELD_CHARS:
        raise InputError(
            "`on` names the model that the calls are imagined on", field="on", hint="for example on=gpt-5.4"
        )
    scope, now_us = given.scope(request, context, days=DAYS), context.now_us()

    def work(store: CallStore) -> Any:
        with store.steady():
            return report("other_model", compared(store, scope, open_prices(context.settings), on, by, now_us))

    return json(await context.read(work), headers=_FRESH)


_ABOUT = (
    "Amounts only: quality is not compared, nor how many tokens the other model would make of the same text. Tokens of "
    "each model at the other's price of now, standard tier and short context, rounded once; without fees of tools, "
    "with audio and images as ordinary tokens; embeddings, images, speech and the like only where they are asked for. "
    "`compared` sums the models of which both amounts are known."
)
ROUTES = (
    Route("GET", "/api/v1/prices", get_prices, "read", "Prices in force and where they come from", "Prices",
          params=SCOPE, answer=dict, about="In pico-USD a token: 1,000,000 are one USD for a million tokens."),
    Route("GET", "/api/v1/prices/other-model", get_other_model, "read", "What calls would have cost on another model",
          "Prices", params=(*_ON, *SCOPE), answer=dict, about=_ABOUT, may_fail=(400, 404)),
)  # fmt: skip
