"""Episodes of failure: many occurrences of one trouble are one alert, told when it begins and when it is over.

Pure: the moment is handed in, and what to tell is handed out. Safe for threads.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Literal, NamedTuple

import msgspec

from tallybook.model.limits import ALERT_CHARS, ALERT_SUBJECTS

Grade = Literal["warn", "bad"]
"""`bad`: records are being lost or refused, or cannot be read. `warn`: somebody's records are amiss."""

OTHERS = "others"

SKEW_US = 300_000_000
"""A call that starts so far after now comes from a clock that is ahead."""


class Condition(NamedTuple):
    """One kind of trouble: from when on it is told, when it is over, and what to do about it."""

    code: str
    grade: Grade
    at_least: int
    """So many occurrences …"""
    within_s: int
    """… in so many seconds are an episode."""
    quiet_s: int
    """It is over when nothing of it happened for so long."""
    about: str
    hint: str


CONDITIONS: dict[str, Condition] = {
    one.code: one
    for one in (
        Condition("disk", "bad", 1, 60, 15, "Records could not be written to the journal.",
                  "mend the disk or the folder's permissions; clients that were answered 503 send again"),
        Condition("no_space", "bad", 1, 60, 30, "Less than 50 MB are free where the ledger is.",
                  "make room, or `tallybook prune`; a full disk refuses records"),
        Condition("overload", "bad", 10, 10, 30, "Requests are refused because the disk or memory does not keep up.",
                  "clients send again by themselves; if it lasts, use a faster disk or larger batches"),
        Condition("upkeep", "bad", 3, 60, 30, "Following the journal or sealing it fails.",
                  "`tallybook doctor` looks for the reason; nothing is lost, but totals and live views stand still"),
        Condition("storage", "bad", 3, 60, 60, "The ledger or its state could not be read or written.",
                  "`tallybook doctor` looks for the reason"),
        Condition("bug", "bad", 1, 60, 600, "A request made the server fail; the log has the traceback.",
                  "please report it with the traceback"),
        Condition("damage", "bad", 1, 60, 120, "Files of the ledger are damaged; the rest is served.",
                  "`tallybook doctor` names file and offset; restore it from a backup, or leave it"),
        Condition("clock", "warn", 1, 60, 600, "Records come from more than five minutes in the future.",
                  "the clock of the sender is ahead, or this machine's is behind: compare them with `date -u`"),
        Condition("refused", "warn", 100, 60, 120, "Many records are refused for the same reason.",
                  "the answer to each request tells how to mend it; /metrics counts them by reason"),
        Condition("sender", "warn", 20, 600, 600, "One client's records are refused over and over.",
                  "look at what it sends: the answers it gets tell what is missing"),
        Condition("webhook", "warn", 1, 60, 600, "The alert webhook does not take alerts.",
                  "check TALLYBOOK_ALERT_WEBHOOK and the service behind it"),
    )
}  # fmt: skip
"""What is watched. `docs/http.md` holds the table."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One episode, under way or over."""

    code: str
    grade: Grade
    subject: str
    """Whom or what it is about: a client, a reason, a project; empty for the server itself."""
    message: str
    """The latest occurrence in words."""
    hint: str
    count: int
    since_us: int
    last_us: int
    ended_us: int | None = None


class _Trouble:
    __slots__ = ("count", "is_told", "last_us", "message", "recent", "since_us")

    def __init__(self, at_least: int) -> None:
        self.recent: deque[int] = deque(maxlen=at_least)
        self.count = 0
        self.since_us = 0
        self.last_us = 0
        self.message = ""
        self.is_told = False


class Episodes:
    """The troubles that are known. `note` what happens, `settle` now and then, `news` tells what has changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._troubles: dict[tuple[str, str], _Trouble] = {}
        self._news: deque[Alert] = deque(maxlen=ALERT_SUBJECTS)

    def note(self, code: str, message: str, now_us: int, *, subject: str = "", by: int = 1) -> None:
        """Something happened: an episode begins when it happened often enough in a short time, or goes on."""
        condition = CONDITIONS[code]
        subject = subject[:ALERT_CHARS]
        with self._lock:
            trouble = self._troubles.get((code, subject))
            if trouble is None:
                if len(self._troubles) >= ALERT_SUBJECTS:
                    subject = OTHERS
                trouble = self._troubles.setdefault((code, subject), _Trouble(condition.at_least))
            trouble.count += by
            trouble.last_us = now_us
            trouble.message = message[:ALERT_CHARS]
            trouble.recent.extend([now_us] * min(by, condition.at_least))
            if not trouble.recent:
                return
            first_us = trouble.recent[0]
            is_often = len(trouble.recent) == condition.at_least and now_us - first_us <= condition.within_s * 1_000_000
            if is_often and not trouble.is_told:
                trouble.is_told = True
                trouble.since_us = first_us
                self._news.append(_alert(code, subject, trouble))

    def end(self, code: str, now_us: int, *, subject: str = "") -> None:
        """It is known to be over, without waiting for the quiet time."""
        with self._lock:
            self._end((code, subject), now_us)

    def settle(self, now_us: int) -> None:
        """End the episodes that have been quiet for long enough, and forget what never became one."""
        with self._lock:
            for key, trouble in list(self._troubles.items()):
                if now_us - trouble.last_us >= CONDITIONS[key[0]].quiet_s * 1_000_000:
                    self._end(key, now_us)

    def _end(self, key: tuple[str, str], now_us: int) -> None:
        trouble = self._troubles.pop(key, None)
        if trouble is not None and trouble.is_told:
            self._news.append(msgspec.structs.replace(_alert(*key, trouble), ended_us=now_us))

    def under_way(self, code: str | None = None) -> list[Alert]:
        """Episodes under way, the gravest and oldest first."""
        with self._lock:
            found = [_alert(*key, one) for key, one in self._troubles.items() if one.is_told and code in (None, key[0])]
        return sorted(found, key=lambda alert: (alert.grade != "bad", alert.since_us))

    def news(self) -> list[Alert]:
        """What began or ended since the last time, in order; each is handed out once."""
        with self._lock:
            found = list(self._news)
            self._news.clear()
        return found


def _alert(code: str, subject: str, trouble: _Trouble) -> Alert:
    condition = CONDITIONS[code]
    return Alert(
        code=code, grade=condition.grade, subject=subject, message=trouble.message, hint=condition.hint,
        count=trouble.count, since_us=trouble.since_us, last_us=trouble.last_us,
    )  # fmt: skip


def told(alert: Alert) -> str:
    """An alert as a sentence for a log or a chat."""
    about = f"{alert.message}{f' ({alert.subject})' if alert.subject else ''}"
    if alert.ended_us is None:
        return f"{about}; {alert.hint}"
    length_s = max(0, alert.ended_us - alert.since_us) // 1_000_000
    return f"over after {length_s:,} s and {alert.count:,} times: {about}"
