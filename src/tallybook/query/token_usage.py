"""Tokens and cost of a chat, a user or a message, estimates and actual figures apart (S3).

A cost is actual when it follows from what the provider reported: its own amount, or its token counts and the price in
force (`reported`, `priced`, `partial`, `free`). It is an estimate where the tokens or the price were estimated
(`estimated`). A call is in exactly one of the two sums: when the true figure arrives, it moves from one to the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tallybook.model.call import Call
from tallybook.model.errors import InputError, NotFound
from tallybook.model.question import Filter, Question
from tallybook.query.totals import Scope
from tallybook.store.base import CallStore

MESSAGES = 100
"""Messages told one by one unless asked otherwise."""
MESSAGES_MAX = 1_000
_MEASURES = ("calls", "input_tokens", "output_tokens", "total_tokens", "cost_nanousd", "priced_calls")
_ESTIMATED = "estimated"
_OF_MESSAGE = ("metadata.message_id", "response_id")
"""Where a message's id is, if it is not the call's own."""


class MessageUsage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One message: the call that wrote it. Costs are in units of `currency`; null where not known."""

    message_id: str
    call_id: str
    created_at: str
    model: str | None
    provider: str
    status: str
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    estimated_cost: float | None
    actual_cost: float | None
    cost_status: str
    currency: str


class TokenUsage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Sums over messages. `unpriced_count` of them are in neither sum of cost; tokens are null where none told any."""

    chat_id: str | None
    user_id: str | None
    message_id: str | None
    total_input_tokens: int | None
    total_output_tokens: int | None
    total_tokens: int | None
    total_estimated_cost: float
    total_actual_cost: float
    total_cost: float
    currency: str
    message_count: int
    estimated_count: int
    unpriced_count: int
    messages: list[MessageUsage]
    warnings: list[str]


def token_usage(
    store: CallStore,
    scope: Scope,
    *,
    chat_id: str | None = None,
    user_id: str | None = None,
    message_id: str | None = None,
    messages: int = MESSAGES,
) -> TokenUsage:
    """Sums over what fulfils all that is given. Raises InputError when nothing is, NotFound for an unknown message."""
    if chat_id is None and user_id is None and message_id is None:
        raise InputError("say whose tokens: chatId, userId or messageId", field="chatId")
    filters = scope.filters if user_id is None else (*scope.filters, Filter("user_id", "eq", user_id))
    if message_id is not None:
        filters = (*filters, _of_message(store, scope, filters, message_id))
    parts = [filters] if chat_id is None else [(*filters, *part) for part in _parts(chat_id)]
    sums = dict.fromkeys(("calls", "estimated", "actual", "guessed", "priced"), 0)
    tokens: dict[str, int | None] = dict.fromkeys(("input", "output", "total"))
    for part in parts:
        _add(sums, tokens, store, scope, part)
    if not sums["calls"]:
        tokens = dict.fromkeys(tokens, 0)
    wanted = min(messages, MESSAGES_MAX) if user_id is None or chat_id is not None or message_id is not None else 0
    found = [call for part in parts for call in _calls(store, scope, part, wanted)]
    found.sort(key=lambda call: (call.started_at_us, call.call_id), reverse=True)
    return TokenUsage(
        chat_id=chat_id, user_id=user_id, message_id=message_id, total_input_tokens=tokens["input"],
        total_output_tokens=tokens["output"], total_tokens=tokens["total"],
        total_estimated_cost=sums["estimated"] / 1e9, total_actual_cost=sums["actual"] / 1e9,
        total_cost=(sums["estimated"] + sums["actual"]) / 1e9, currency=scope.currency, message_count=sums["calls"],
        estimated_count=sums["guessed"], unpriced_count=sums["calls"] - sums["priced"],
        messages=[message(call, scope) for call in found[:wanted]], warnings=list(scope.heard),
    )  # fmt: skip


def _parts(chat_id: str) -> tuple[tuple[Filter, ...], tuple[Filter, ...]]:
    """A chat is the run of its calls, or their session: calls that name both are counted by the run alone."""
    return (
        (Filter("run_id", "eq", chat_id),),
        (Filter("session_id", "eq", chat_id), Filter("run_id", "ne", chat_id)),
    )


def of_chat(store: CallStore, scope: Scope, chat_id: str) -> Scope:
    """A scope of the calls of a chat, which is their run or their session, for who cannot add up two answers.

    Where some calls are the chat's by their run alone and others by their session alone, those of the run, and a
    remark that there are others.
    """
    span = scope.span
    (run,), beside = _parts(chat_id)

    def has(*filters: Filter) -> bool:
        given = (*scope.filters, *filters)
        return bool(store.calls(given, since_us=span.since_us, until_us=span.until_us, limit=1))

    if not has(*beside):
        return scope.within(run)
    if not has(run, Filter("session_id", "ne", chat_id)):
        return scope.within(beside[0])
    scope.hear([f"calls of other runs in the session {chat_id[:100]!r} are not in these figures"])
    return scope.within(run)


def _of_message(store: CallStore, scope: Scope, filters: Sequence[Filter], message_id: str) -> Filter:
    for name in ("call_id", *_OF_MESSAGE):
        given = Filter(name, "eq", message_id)
        if store.calls((*filters, given), since_us=scope.span.since_us, until_us=scope.span.until_us, limit=1):
            return given
    raise NotFound(
        f"no message {message_id[:100]!r}",
        hint="a message is known by the id of its call, by the provider's response id, or by `message_id` in metadata",
    )


def _add(
    sums: dict[str, int], tokens: dict[str, int | None], store: CallStore, scope: Scope, filters: tuple[Filter, ...]
) -> None:
    """Add the figures of the calls; amounts in another currency day by day, each at its rate."""
    span = scope.span
    grain = None if scope.rates is None else "day"
    answer = store.ask(
        Question(
            measures=_MEASURES, dimensions=("cost_status",), filters=filters, since_us=span.since_us,
            until_us=span.until_us, zone=span.zone, grain=grain,  # type: ignore[arg-type]
        )
    )  # fmt: skip
    scope.hear(answer.warnings)
    for row in answer.dicts():
        sums["calls"] += row["calls"]
        sums["priced"] += row["priced_calls"]
        for name, known in tokens.items():
            told = row[f"{name}_tokens"]
            tokens[name] = known if told is None else told + (known or 0)
        is_estimate = row["cost_status"] == _ESTIMATED
        sums["guessed"] += row["calls"] if is_estimate else 0
        cost = row["cost_nanousd"] or 0
        if scope.rates is not None:
            from datetime import date  # here, because most amounts are in USD

            cost = scope.rates.convert(cost, date.fromisoformat(row["time"]))
        sums["estimated" if is_estimate else "actual"] += cost


def _calls(store: CallStore, scope: Scope, filters: tuple[Filter, ...], limit: int) -> list[Call]:
    span = scope.span
    return store.calls(filters, since_us=span.since_us, until_us=span.until_us, limit=limit) if limit else []


def message(call: Call, scope: Scope) -> MessageUsage:
    """One call as its message's usage."""
    from tallybook.query.plain import iso  # here, because sums alone need no times

    cost = call.cost
    amount = None if cost is None else scope.amount(cost.total_nanousd, call.started_at_us)
    told = None if amount is None else amount / 1e9
    status = "unpriced" if cost is None else cost.status
    named = call.metadata.get("message_id")
    return MessageUsage(
        message_id=named if isinstance(named, str) and named else call.call_id, call_id=call.call_id,
        created_at=iso(call.started_at_us) or "", model=call.response_model or call.model, provider=call.provider,
        status=call.status, input_tokens=call.usage.input_tokens, output_tokens=call.usage.output_tokens,
        total_tokens=call.usage.total_tokens, estimated_cost=told if status == _ESTIMATED else None,
        actual_cost=None if status == _ESTIMATED else told, cost_status=status, currency=scope.currency,
    )  # fmt: skip
