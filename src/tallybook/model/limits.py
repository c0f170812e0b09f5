"""Every limit of the product, with its reason and what happens beyond it."""

from __future__ import annotations

PREVIEW_CHARS = 1_000
"""First characters of a prompt or response kept as preview (S4). Beyond: cut."""

ERROR_MESSAGE_CHARS = 2_000
"""An error message in a record. Beyond: cut; providers echo whole requests in errors."""

FIELD_CHARS = 1_000
"""Any identifier or tag handed in by the application. Beyond: cut and flagged `field_cut`."""

METADATA_BYTES = 16_384
"""Metadata of a record as JSON. Beyond: dropped and flagged `metadata_dropped`; lines stay readable."""

RECORD_BYTES = 1_048_576
"""One line of the journal. Beyond: raw usage and parameters are left out, flagged `record_cut`."""

BODY_BYTES = 8_388_608
"""One stored body. Beyond: cut, `truncated` with the original size. Base64 data are replaced by a reference."""

STREAM_BUFFER_BYTES = 262_144
"""Raw stream bytes kept before they are parsed. Beyond: parsed in between, so memory stays flat."""

SEGMENT_BYTES = 33_554_432
"""A journal segment is rotated here, so that the sealer may take it while its writer lives."""

SEAL_ROWS = 50_000
SEAL_BYTES = 33_554_432
SEAL_AGE_S = 600
SEAL_SEGMENTS = 500
"""Sealing is due at any of these: hot lines are what every question must read anew."""

SEGMENT_GRACE_S = 30
"""Sealed segments are removed this long after, for readers that listed them just before."""

ROW_GROUP_ROWS = 20_480
"""Rows of a Parquet row group: one call by id costs one row group's decoding, measured at 14 ms against 30 at three
times as many, for one per cent more bytes."""

PROMOTED_KEYS = 8
"""Metadata keys that get a column of their own when sealing: the most used ones of the batch."""

RETENTION_DAYS = 30
STORAGE_MAX_MB = 100
"""Defaults of S5."""

LIVE_RING_EVENTS = 10_000
"""Events that the live feed keeps for listeners that come back. Beyond: the journal is asked."""

LIVE_PENDING_EVENTS = 5_000
LIVE_PENDING_BYTES = 4_194_304
"""What one live listener may have waiting. Beyond: it is dropped and told so, and its last id brings it back."""

LIVE_UNDER_WAY = 20_000
"""Calls under way that live views know of. Beyond: the oldest are forgotten, and their ends are told all the same."""

REQUEST_BYTES = 20_971_520
"""Body of one HTTP request as it is received. Beyond: 413 that names the limit, and the rest is not read."""

UNPACKED_BYTES = 67_108_864
"""The same after decompression, so that a small bomb cannot fill the memory. Beyond: 413."""

INTAKE_BYTES = 67_108_864
"""Lines accepted by the server and not yet durable. Beyond: 503 with Retry-After; never an unbounded queue."""

BATCH_ITEMS = 10_000
"""Records of one request. Beyond: 413; an answer per item must stay a size that a client reads."""

KEYS = 10_000
"""Access keys of one ledger. Beyond: a clear error; each is looked at when the server starts."""

TOKEN_MINUTES = 1_440
"""Minutes that a page's token may last: it cannot be taken back but with its key. Beyond: a clear error."""

SHIP_BATCH_BYTES = 2_097_152
"""Journal bytes sent to a server at once. Beyond: the next request; a 413 halves it."""

SHIP_EXIT_S = 2.0
"""A program that ends waits at most so long for its last lines to be shipped. Beyond: the next process ships them."""

SHIP_FLUSH_S = 10.0
"""`flush(ship=True)` and the serverless mode wait at most so long. Beyond: the lines are shipped the next time."""

ALERT_SUBJECTS = 1_000
"""Troubles watched apart from each other (by client, by reason). Beyond: counted together as `others`."""

ALERT_CHARS = 300
"""Message and subject of an alert. Beyond: cut; they quote what clients send."""

ALERT_WAITING = 100
"""Alerts that wait for the webhook. Beyond: the oldest go, counted; the log and `/healthz` have them all the same."""

ALERT_ATTEMPTS = 6
"""Times that one alert is sent to the webhook, half a minute altogether. Beyond: it is given up, and that is told."""

HEAD_BYTES = 65_536
"""Address and headers of a request. Beyond: 431, and the connection ends."""

HEAD_S = 15
"""Seconds that a client may take for address and headers. Beyond: 408, and the connection ends."""

BODY_IDLE_S = 20
BODY_S = 300
"""Seconds that a client may pause in a body, and take for all of it. Beyond: 408, and the connection ends."""

READ_IDLE_S = 60
"""Seconds that a client may take nothing of its answer. Beyond: the connection ends."""

CONNECTIONS = 4_096
"""Connections at once, live listeners included; each costs some 20 kB. Beyond: 503 with Retry-After."""

BODIES_BYTES = 268_435_456
"""Bodies held in memory at once, unpacked, by all requests under way. Beyond: 503 with Retry-After."""

JSON_VALUES = 2_000_000
"""Values in one JSON body, estimated by its commas and brackets: each costs some 60 bytes. Beyond: 413."""

TASK_BYTES = 4_194_304
"""One text or JSON value of a task, message or run. Beyond: refused with the field's name; the state stays small."""

TAGS = 100
ATTACHMENTS = 100
"""Tags of a run, attachments of a message. Beyond: refused."""

RUN_PAGE = 200
"""Runs, tasks or messages of one page at most. Beyond: cut to it, and the cursor leads on."""

RUN_NODES = 5_000
"""Nodes of an execution tree in one answer: some 3 MB, as much as a page draws without a pause. Beyond: the first of
them in the tree's order, and `is_cut`; the sums stay those of the whole run."""

BIN_DAYS = 30
"""Days after which `prune` deletes for good what is in the bin."""

REFLECT_RUNS = 400
"""Runs whose sealed totals are set in one transaction, some 20 ms. More runs: in portions, with pauses between them."""

SEARCH_WORDS = 16
SEARCH_CHARS = 1_000
"""Words and characters of a text search. Beyond: refused; each word is looked for in each body."""

SEARCH_S = 5.0
"""Seconds after which a text search answers with what it found and how far it came; one day may take longer."""
