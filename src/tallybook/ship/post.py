"""One kept connection to a server, by the standard library alone. Not safe for threads.

A failure to reach it, a broken connection and an answer that is none are all `Unreachable`; anything the server says is
a `Reply`. Redirects are not followed: a key is sent to nobody but the server it was given for.
"""

from __future__ import annotations

import http.client
import json
import os
from typing import NamedTuple
from urllib.parse import urlsplit

from tallybook.model.errors import SettingError, TallybookError

TIMEOUT_S = 30.0
ANSWER_BYTES = 4 * 1024 * 1024
"""The longest answer that is read."""


class Unreachable(TallybookError):
    """The server could not be reached or did not answer."""


class Reply(NamedTuple):
    """What the server said."""

    status: int
    body: bytes
    retry_after_s: float | None

    @property
    def code(self) -> str | None:
        """The code of an error in the server's own form; `None` for anybody else's."""
        try:
            code = json.loads(self.body)["error"]["code"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return code if isinstance(code, str) else None


class Connection:
    """A server's address, spoken to again and again."""

    def __init__(self, url: str, key: str | None, *, timeout_s: float = TIMEOUT_S) -> None:
        """Raises SettingError for an address that is none."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingError(f"TALLYBOOK_URL={url!r} is no address", hint="for example http://tally.internal:4318")
        try:
            self._port = parts.port
        except ValueError as error:
            raise SettingError(f"TALLYBOOK_URL={url!r}: {error}") from error
        self._host = parts.hostname
        self._is_tls = parts.scheme == "https"
        self._base = parts.path.rstrip("/")
        self._key = key
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None

    def post(self, path: str, body: bytes, headers: dict[str, str], *, timeout_s: float | None = None) -> Reply:
        """Post once. A kept connection that the server had closed meanwhile is made anew. Raises Unreachable."""
        headers = {"Accept": "application/json", "User-Agent": "tallybook", **headers}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        was_kept = self._connection is not None
        try:
            return self._post(path, body, headers, timeout_s)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not was_kept or isinstance(error, TimeoutError):
                raise Unreachable(f"{type(error).__name__}: {error}") from error
        try:
            return self._post(path, body, headers, timeout_s)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(f"{type(error).__name__}: {error}") from error

    def _post(self, path: str, body: bytes, headers: dict[str, str], timeout_s: float | None) -> Reply:
        timeout = self._timeout_s if timeout_s is None else timeout_s
        connection = self._connection
        if connection is None:
            make = http.client.HTTPSConnection if self._is_tls else http.client.HTTPConnection
            connection = self._connection = make(self._host, self._port, timeout=timeout)
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        connection.request("POST", self._base + path, body, headers)
        response = connection.getresponse()
        data = response.read(ANSWER_BYTES)
        if response.will_close or not response.isclosed():
            self.close()
        return Reply(response.status, data, _seconds(response.getheader("Retry-After")))

    def close(self) -> None:
        """Let the connection go; the next post makes one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def leave(self) -> None:
        """In a forked child: leave the connection to the parent, which may have been in the middle of using it.

        Only the descriptor is closed. What reads from it is kept for ever, because a lock in it may be held by a thread
        that this process does not have.
        """
        connection, self._connection = self._connection, None
        if connection is not None:
            _left.append(connection)
            if connection.sock is not None:
                os.close(connection.sock.detach())


_left: list[http.client.HTTPConnection] = []


def _seconds(text: str | None) -> float | None:
    """`Retry-After` in seconds. A date is not worth a clock that may differ: taken as not said."""
    try:
        return max(0.0, float(text)) if text is not None else None
    except ValueError:
        return None
