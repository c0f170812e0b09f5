"""The newest of the support bot's chats as conversations: what was asked and answered, as the application kept it.

They are runs with messages and tasks in `state.db`. Each answer's task names the call in the journal that made it, so
that its figures stand beside the message. A run of the demo says so in its metadata: by that a later demo knows that it
may be replaced.
"""

from __future__ import annotations

from collections.abc import Sequence

from tallybook.demo.month import Chat, Turn
from tallybook.model.call import Run
from tallybook.model.run import Message, Role, Task
from tallybook.runs.name import name_of
from tallybook.store.base import StateStore
from tallybook.store.run_store import RunQuery

KEPT = 60
"""Conversations written, the newest ones."""
MARK = "demo"
FILES = ("state.db", "state.db-wal", "state.db-shm")
"""The state, and what SQLite keeps beside it."""
_PAGE = 500
_FAILED = "Sorry, I cannot answer right now. Please try again in a few minutes."

_ANSWERS = {
    "Where is my order? It was due on Tuesday.": (
        "It left our warehouse on Monday and is in the parcel centre in Leipzig since last night. The carrier "
        "now says tomorrow between 10 and 14 o'clock. Shall I send you a message when it is on its way to you?",
        "I looked it up: two of the three items are packed, the third came in this morning. All of it goes out "
        "today, so please count on the day after tomorrow. I have taken the shipping costs off your invoice.",
    ),
    "The invoice shows the wrong VAT number.": (
        "That is quickly mended. I have put the number from your account into the invoice and sent it again; the "
        "old one is void. Please check under Account, Billing that the number there is the right one.",
        "I cannot change an invoice of a closed month myself. I have opened a ticket with the accounts team: "
        "they issue a corrected one within two working days.",
    ),
    "How do I add a second user to my account?": (
        "1. Open Settings, Team.\n2. Choose Invite and enter the address.\n3. Pick a role: viewer sees orders, "
        "buyer places them, admin does both and pays.\n\nThe invitation is good for seven days.",
        "Your plan includes three users, and you have one so far. An admin can invite people under Settings, "
        "Team.",
    ),
    "My parcel arrived damaged, what now?": (
        "I am sorry about that. Please take a photo of the parcel and of what is inside, and keep the packaging. "
        "I have reserved a replacement and opened a return, so you need not wait for the inspection.",
        "Thank you for the photos. The replacement leaves today; the label for the return is in your mailbox.",
    ),
    "Can I change the delivery address after ordering?": (
        "Yes, until the parcel is packed. Yours is not packed yet: tell me the new address and I will change it.",
        "It is with the carrier already, so I cannot. You can send it to a parcel shop nearby with the link in "
        "the shipping message.",
    ),
    "The export to CSV stops after 1,000 rows.": (
        "The button on the page exports what the page shows, which is at most 1,000 rows. For all of them use "
        "Reports, Export: you get a link by mail when the file is ready.",
        "You are right, that is a fault on our side. It is known (ticket EXP-212) and mended with Thursday's "
        "release.",
    ),
    "I was charged twice this month.": (
        "I see both charges. The first was a reservation that your bank has not released yet; it goes away "
        "within five days. Only the second one is real.",
        "You are right: the yearly plan began while the monthly one still ran. I have refunded the monthly "
        "charge; it is on your card in three to five days.",
    ),
    "Do you ship to Switzerland?": (
        "We do, in three to five days. Duties are included in the price that you see when you choose Switzerland "
        "as the country.",
        "Yes. Shipping is free from 80 francs on; below it is 7.90.",
    ),
}  # fmt: skip
_TAGS = {
    "I was charged twice this month.": "billing",
    "The invoice shows the wrong VAT number.": "billing",
    "My parcel arrived damaged, what now?": "return",
    "Where is my order? It was due on Tuesday.": "shipping",
    "Can I change the delivery address after ordering?": "shipping",
    "Do you ship to Switzerland?": "shipping",
    "The export to CSV stops after 1,000 rows.": "bug",
}


def is_replaceable(state: StateStore) -> bool:
    """Whether every managed run in the state is a demo's."""
    for in_bin in (False, True):
        after = None
        while True:
            found = state.find_runs(
                RunQuery(is_managed=True, in_bin=in_bin, sort="created_at", limit=_PAGE, after=after)
            )
            if any(MARK not in run.metadata for run in found):
                return False
            if len(found) < _PAGE:
                break
            after = (found[-1].created_at_us, found[-1].run_id)
    return True


def keep(state: StateStore, chats: Sequence[Chat], since_us: int, until_us: int) -> int:
    """Write the newest chats that lie within the month whole; their number."""
    whole = [chat for chat in chats if chat.turns and _lies_within(chat, since_us, until_us)]
    whole.sort(key=lambda chat: chat.turns[-1].ended.at_us)
    for number, chat in enumerate(whole[-KEPT:]):
        _write(state, chat, number)
    return len(whole[-KEPT:])


def _lies_within(chat: Chat, since_us: int, until_us: int) -> bool:
    return since_us <= chat.turns[0].at_us and chat.turns[-1].ended.at_us < until_us


def _write(state: StateStore, chat: Chat, number: int) -> None:
    who, first = chat.who, chat.turns[0]
    assert who.run is not None
    tags = {tag for turn in chat.turns if (tag := _TAGS.get(turn.question))}
    state.create_run(
        Run(
            run_id=who.run, source_type="chat", source_id=str(who.metadata.get("ticket")), project=who.project,
            user_id=who.user, session_id=who.session, agent_name=who.agent, is_starred=number % 9 == 4,
            tags=tuple(sorted({*tags, *who.tags})), created_at_us=first.at_us, updated_at_us=first.at_us,
            settings={"model_id": first.ended.call.model if first.ended.call else None, "temperature": 0.3},
            metadata={**who.metadata, MARK: True},
        )
    )  # fmt: skip
    asked: dict[str, int] = {}
    for place, turn in enumerate(chat.turns):
        _write_turn(state, chat, turn, place, asked.setdefault(turn.question, 0))
        asked[turn.question] += 1
    last_us = chat.turns[-1].ended.at_us
    if number % 10 == 7:
        state.change_run(who.run, {"status": "archived"})
    elif number % 6 == 2:
        state.change_run(who.run, {"status": "completed", "description": "Answered to the customer's satisfaction."})
    elif number % 20 == 11:
        state.bin_runs([who.run], last_us)
    state.date_run(who.run, last_us)


def _write_turn(state: StateStore, chat: Chat, turn: Turn, place: int, before: int) -> None:
    """A question, its task and what was answered; `before` is how often the same was asked in this chat."""
    run_id, call = str(chat.who.run), turn.ended.call
    name = name_of(turn.question) if place == 0 else None
    state.add_message(_message(f"{run_id}-{2 * place}", run_id, "user", turn.question, turn.at_us), name)
    if call is None:
        return
    is_answered = turn.ended.is_answered
    answers = _ANSWERS[turn.question]
    answer = answers[(before + len(chat.turns)) % len(answers)] if is_answered else _FAILED
    state.create_task(
        Task(
            task_id=call.call_id, run_id=run_id, call_id=call.call_id, status="completed" if is_answered else "failed",
            service="chat", task_name=call.name, operation=call.operation, provider=call.provider, model=call.model,
            response_model=call.response_model, response_id=call.response_id, parent_id=call.parent_id,
            project=call.project, user_id=call.user_id, response_text=answer if is_answered else None,
            error_type=call.error_type, error_message=call.error_message, usage=call.usage, ttft_us=call.ttft_us,
            duration_us=call.duration_us, created_at_us=call.started_at_us, started_at_us=call.started_at_us,
            updated_at_us=turn.ended.at_us, completed_at_us=turn.ended.at_us, is_recorded=True,
        )
    )  # fmt: skip
    state.add_message(
        _message(f"{run_id}-{2 * place + 1}", run_id, "assistant", answer, turn.ended.at_us, call.call_id)
    )


def _message(message_id: str, run_id: str, role: Role, content: str, at_us: int, task_id: str | None = None) -> Message:
    return Message(
        message_id=message_id, run_id=run_id, role=role, content=content, task_id=task_id, created_at_us=at_us,
        updated_at_us=at_us,
    )  # fmt: skip
