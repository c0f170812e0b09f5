"""Sends alerts to a webhook: one JSON object a POST, in order, tried again with growing pauses, never in the way.

What waits is bounded, the oldest go first and are counted. Redirects are not followed, and neither the address's
path nor its password is ever told, for such addresses are secrets.
"""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from tallybook.alert.episode import Alert, told
from tallybook.model.limits import ALERT_ATTEMPTS, ALERT_WAITING
from tallybook.version import __version__

log = logging.getLogger("tallybook.alert")

TIMEOUT_S = 10.0
PAUSE_S = 1.0
"""Before the second attempt; doubled before each further one, up to `PAUSE_MAX_S`."""
PAUSE_MAX_S = 60.0
_STOP_S = 3.0


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a POST. `text` is what chat services show."""

    event: str
    """`alert` or `recovery`."""
    text: str
    product: str = "tallybook"
    version: str = __version__
    host: str
    folder: str
    alert: Alert


class Webhook:
    """The sender, with a thread of its own that starts with the first alert."""

    def __init__(self, url: str, folder: str, on_failure: Callable[[str], None] = lambda why: None) -> None:
        self._url = url
        self._folder = folder
        self._on_failure = on_failure
        self._waiting: deque[Alert] = deque()
        self._turn = threading.Condition()
        self._is_open = True
        self._thread: threading.Thread | None = None
        self.sent = 0
        self.dropped = 0
        """Alerts that were given up: too many waited, or no attempt went well."""

    def send(self, alert: Alert) -> None:
        """Have it sent; returns at once."""
        with self._turn:
            if not self._is_open:
                return
            if len(self._waiting) >= ALERT_WAITING:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(alert)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="tallybook-webhook", daemon=True)
                self._thread.start()
            self._turn.notify()

    def close(self) -> None:
        """Send what waits, as far as that goes in a few seconds."""
        with self._turn:
            self._is_open = False
            self._turn.notify()
        if self._thread is not None:
            self._thread.join(_STOP_S)

    def _work(self) -> None:
        while True:
            with self._turn:
                while self._is_open and not self._waiting:
                    self._turn.wait()
                if not self._waiting:
                    return
                alert = self._waiting.popleft()
            if self._delivered(alert):
                self.sent += 1
            else:
                self.dropped += 1

    def _delivered(self, alert: Alert) -> bool:
        pause_s = PAUSE_S
        why = ""
        for attempt in range(ALERT_ATTEMPTS):
            if attempt:
                with self._turn:
                    if not self._is_open or self._turn.wait_for(lambda: not self._is_open, pause_s):
                        return False
                pause_s = min(PAUSE_MAX_S, 2 * pause_s)
            try:
                status = self._post(alert)
            except (OSError, http.client.HTTPException, ValueError) as error:
                why = type(error).__name__ if not isinstance(error, OSError) else str(error.strerror or error)
            else:
                if status < 300:
                    return True
                why = f"it answered {status}"
                if status < 500 and status not in (408, 425, 429):
                    break
        if alert.code != "webhook":
            self._on_failure(f"the alert webhook at {self.host} did not take an alert: {why}")
        return False

    @property
    def host(self) -> str:
        """Where it goes, without the secret parts of the address."""
        return urlsplit(self._url).hostname or "?"

    def _post(self, alert: Alert) -> int:
        parts = urlsplit(self._url)
        event = "alert" if alert.ended_us is None else "recovery"
        message = Message(
            event=event, text=f"Tallybook {event}: {told(alert)}", host=socket.gethostname(), folder=self._folder,
            alert=alert,
        )  # fmt: skip
        if parts.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=TIMEOUT_S, context=ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            headers = {"content-type": "application/json", "user-agent": f"tallybook/{__version__}"}
            connection.request("POST", target, msgspec.json.encode(message), headers)
            answer = connection.getresponse()
            answer.read(65_536)
            return answer.status
        finally:
            connection.close()
