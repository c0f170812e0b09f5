"""`tallybook show ID`: one call, or the execution tree of one run."""

from __future__ import annotations

from typing import Any

import click
from msgspec import structs

from tallybook.cli.option import examples
from tallybook.cli.view import View, report
from tallybook.model.errors import NotFound
from tallybook.query.plain import call as plain_call
from tallybook.query.plain import plain
from tallybook.query.runs import tree


@click.command(
    epilog=examples("tallybook show 019ab1c2-77e0-7d3f", "tallybook show my-run-id --json", "tallybook show RUN --full")
)
@click.argument("id", metavar="ID")
@click.option("--full", is_flag=True, help="Bodies and previews whole, and every node of a tree.")
@report(has_filters=False)
def show(view: View, id: str, full: bool) -> None:
    """Everything about one call, or the execution tree of one run.

    A call may be named by the beginning of its id (8 characters or more), a run by its id. In a tree, ∑ marks sums over
    a step and all below it.
    """
    if view.is_csv:
        raise click.UsageError("one call or run is no table: use --json.")
    found = view.store.call(id)
    if found is not None:
        body = view.store.body(found.call_id)
        if view.is_json:
            data: dict[str, Any] = {"report": "call", **plain_call(found)}
            view.write_json({**data, "body": body})
            return
        from tallybook.cli.show_call import lines as call_lines  # here, because a run needs it not

        text = call_lines(found, body, view.scope, view.page, is_full=full)
    else:
        from tallybook.cli.show_kept import kept  # here, because a call needs it not

        own = kept(view, id)
        try:
            run = tree(view.store, id if own is None else own.run.run_id)
        except NotFound as error:
            if own is None:
                raise NotFound(
                    f"no call and no run has the id {id!r}",
                    hint="`tallybook calls` and `tallybook runs` list ids; 8 first characters name a call",
                ) from error
            own.show(view)
            return
        if own is not None and own.run.name is not None:
            run = structs.replace(run, name=own.run.name)
        if view.is_json:
            view.write_json({"report": "run", **plain(run)})
            return
        from tallybook.cli.show_run import lines as run_lines  # here, because a call needs it not

        text = run_lines(run, view.scope, view.page, is_full=full)
    for line in text:
        view.host.say(line)
