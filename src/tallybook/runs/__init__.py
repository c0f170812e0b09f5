"""Managed runs: conversations, prompts, workflows with their messages, and the tasks inside them.

    run = tallybook.runs.create(source_type="chat", settings={"model_id": "gpt-4o"})
    run.message("user", "How do tides work?")
    with run.task(provider="openai", model="gpt-4o") as task:
        task.complete(client.chat.completions.create(...))
    tallybook.runs.list(starred=True, text="tides")

They need no server: they are in the folder of the settings, and a server on it shows the same.
"""

from __future__ import annotations

from tallybook.runs.handle import Ledger, ManagedRun, ManagedTask, as_dict
from tallybook.runs.page import Page

__all__ = [
    "Ledger",
    "ManagedRun",
    "ManagedTask",
    "Page",
    "as_dict",
    "create",
    "get",
    "list",
    "purge",
    "restore",
    "resume",
    "shared",
    "task",
]

_ledger = Ledger()
create = _ledger.create
get = _ledger.get
list = _ledger.list
restore = _ledger.restore
resume = _ledger.resume
purge = _ledger.purge
task = _ledger.task
shared = _ledger.shared
