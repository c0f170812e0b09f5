"""A believable month of a small company's model calls, for everyone who wants to look before they commit.

Five projects and some 25 people: a support bot with chats, a document search, an agent that reviews code, nightly
reports in batches, and a playground. Among them one day on which a provider was overloaded, one agent that ran away
with the budget, one model that no price list knows and one on the user's own machine. Nothing here was measured and
nobody in it exists.

The same arguments give the same bytes. Lines go to `DIR/<UTC day>/telemetry.demo.jsonl` and `steps.demo.jsonl`, as a
process of the company would have written them; bodies are not written. The newest chats are kept as conversations in
`state.db`. It knows no price.
"""

from tallybook.demo.fill import DemoFilled, fill

__all__ = ["DemoFilled", "fill"]
