"""Looks after the server: what is amiss is an episode, told at begin and end by the log, the notice and the webhook.

Troubles are noted where they happen (`Context.alerts`); this thread tells them, sees when they are over, tries a disk
that refused, and looks at free space and damaged files. It never holds up a request.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tallybook.alert import notice
from tallybook.alert.episode import Alert, told
from tallybook.model.errors import StorageError
from tallybook.query.folder import FULL_BYTES
from tallybook.server.context import Context
from tallybook.server.gauge import REFUSED, Labels
from tallybook.server.sender import sender
from tallybook.store.lake import manifest

if TYPE_CHECKING:
    from tallybook.alert.webhook import Webhook

log = logging.getLogger("tallybook.alert")

TICK_S = 1.0
LOOK_S = 30.0
"""How often free space and damaged files are looked at, and the notice is written anew."""
_PROBE = ".probe"
_OVERLOADED = "overloaded"


class Alarm:
    """The watch over one server."""

    def __init__(
        self, context: Context, url: str = "", *, tick_s: float = TICK_S, look_s: float = LOOK_S,
        webhook: Webhook | None = None,
    ) -> None:  # fmt: skip
        self._context = context
        self._url = url
        self._tick_s = tick_s
        self._look_s = look_s
        address = context.settings.alert_webhook
        if webhook is None and address:
            from tallybook.alert.webhook import Webhook  # here, because few have one, and it loads TLS

            webhook = Webhook(address, str(context.settings.folder), self._webhook_failed)
        self._webhook = webhook
        self._stop = threading.Event()
        self._is_noticed = False
        context.gauge.on_count = self._counted
        self._thread = threading.Thread(target=self._work, name="tallybook-alarm", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Tell what is left, and end."""
        self._stop.set()
        self._thread.join()
        self._tell()
        self._notice(is_stopped=True)
        if self._webhook is not None:
            self._webhook.close()

    def _work(self) -> None:
        looked_s = -self._look_s
        while True:
            now_s = time.monotonic()
            is_look = now_s - looked_s >= self._look_s
            if is_look:
                looked_s = now_s
                self._attempt(self._look)
            self._attempt(self._probe)
            self._context.alerts.settle(self._context.now_us())
            if self._tell() or is_look:
                self._notice()
            if self._stop.wait(self._tick_s):
                return

    def _attempt(self, look: Callable[[], None]) -> None:
        try:
            look()
        except (OSError, StorageError) as error:
            self._context.alerts.note("storage", str(error), self._context.now_us())

    def _look(self) -> None:
        """Free space, and files that were set aside."""
        folder, now_us = self._context.settings.folder, self._context.now_us()
        free = shutil.disk_usage(folder).free
        if free < FULL_BYTES:
            self._context.alerts.note("no_space", f"{free:,} bytes are free at {folder}", now_us)
        damaged = manifest.read(folder).damaged
        if damaged:
            names = ", ".join(sorted({one.path for one in damaged})[:3])
            self._context.alerts.note("damage", f"{len(damaged)} damaged in {folder}: {names}", now_us)

    def _probe(self) -> None:
        """While the disk refuses, try whether it does still: without traffic nobody else would notice its recovery."""
        alerts = self._context.alerts
        if not alerts.under_way("disk"):
            return
        path = self._context.settings.folder / _PROBE
        try:
            self._context.settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, b"\0" * 65_536)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
                path.unlink()
        except OSError as error:
            message = f"{self._context.settings.folder}: still not writable: {error.strerror}"
            alerts.note("disk", message, self._context.now_us(), by=0)
            return
        alerts.end("disk", self._context.now_us())

    def _tell(self) -> bool:
        news = self._context.alerts.news()
        for alert in news:
            _log(alert)
            if self._webhook is not None:
                self._webhook.send(alert)
        return bool(news)

    def _notice(self, *, is_stopped: bool = False) -> None:
        said = notice.Notice(
            pid=os.getpid(), url=self._url, written_us=self._context.now_us(),
            alerts=self._context.alerts.under_way(), is_stopped=is_stopped,
        )  # fmt: skip
        try:
            notice.write(self._context.settings.folder, said)
            self._is_noticed = True
        except OSError as error:
            if self._is_noticed:  # Told once; the trouble itself is told elsewhere.
                log.warning("%s could not be written: %s", notice.NAME, error)
            self._is_noticed = False

    def _webhook_failed(self, why: str) -> None:
        self._context.alerts.note("webhook", why, self._context.now_us())

    def _counted(self, name: str, labels: Labels, by: float) -> None:
        """A refusal was counted: by its reason, and by who sent it."""
        if name != REFUSED or labels[1] == _OVERLOADED:
            return
        now_us, (source, reason) = self._context.now_us(), labels
        subject = f"{source}: {reason}"
        self._context.alerts.note("refused", f"records are refused as {reason!r}", now_us, subject=subject, by=int(by))
        who = sender()
        if who is not None:
            message = f"records of {who} are refused as {reason!r}"
            self._context.alerts.note("sender", message, now_us, subject=f"{who}: {source}: {reason}", by=int(by))


def _log(alert: Alert) -> None:
    level = logging.WARNING if alert.ended_us is not None or alert.grade == "warn" else logging.ERROR
    log.log(level, "%s: %s", alert.code, told(alert))
