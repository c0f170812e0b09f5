"""The only reader of the environment and of `tallybook.toml`.

Order, first wins: arguments in code, `TALLYBOOK_…` variables, the six names of S5
(`LLM_TELEMETRY_…`), `tallybook.toml` in or above the working directory, defaults.
`docs/settings.md` lists every setting; a test holds the list and this file together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from tallybook.model.errors import SettingError
from tallybook.model.limits import RETENTION_DAYS, STORAGE_MAX_MB

Bodies = Literal["none", "preview", "full"]
Fsync = Literal["never", "always"]
StreamUsage = Literal["auto", "never"]
Ship = Literal["background", "before_return", "never"]

FOLDER_NAME = ".llm-telemetry"
FILE_NAME = "tallybook.toml"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting, resolved. Sizes and ages carry their unit."""

    folder: Path
    """Where everything is kept: an existing `.llm-telemetry/` here or above, else the user's data folder."""
    enabled: bool = True
    """The one switch that turns everything off."""
    prompts: Bodies = "none"
    """`preview` keeps the first 1,000 characters of a prompt, `full` the whole; hashes are always kept."""
    responses: Bodies = "none"
    """The same for responses, and with `full` for the arguments of tool calls."""
    fsync: Fsync = "never"
    """`always`: each record survives power loss, at the cost of one fsync a call."""
    stream_usage: StreamUsage = "auto"
    """`auto` asks OpenAI-shaped streams for their usage and hides the extra chunk from a caller who did not."""
    redact: bool = True
    """Takes API keys, tokens, e-mail addresses and card numbers out of texts before they are written."""
    redact_patterns: tuple[str, ...] = ()
    """Further regular expressions whose matches are replaced before writing."""
    project: str | None = None
    """Project of calls that name none; else the name of the git root or of the working directory."""
    environment: str | None = None
    """`production`, `staging` … of calls that name none."""
    user_id: str | None = None
    """User of calls that name none."""
    retention_days: int = RETENTION_DAYS
    """Calls older than so many days may be removed by `prune`; their totals stay."""
    body_retention_days: int | None = None
    """The same for prompts and responses, which may go earlier than the figures; without it, `retention_days`."""
    storage_max_mb: int = STORAGE_MAX_MB
    """Beyond this size the oldest days may be removed by `prune`, bodies first; their totals stay."""
    started: bool = False
    """Writes a line when a call begins as well, so that live views show what is under way (docs/live.md)."""
    url: str | None = None
    """A Tallybook server that this folder's records are sent to, as `http://tally.internal:4318` (docs/ship.md)."""
    key: str | None = None
    """The access key for that server; one of the role `ingest` is enough."""
    ship: Ship = "background"
    """When records are sent: `background` by a thread; `before_return`, for serverless functions, before the outermost
    run, step or call returns; `never` only by `tallybook ship`."""
    ship_keep: bool = True
    """`false` removes a segment from this folder once the server has all of it and nobody writes it any more."""
    timezone: str | None = None
    """Zone of reports, as `Europe/Paris`; else the machine's own."""
    currency: str = "USD"
    """Currency that reports are shown in; needs `rates_file` unless it is USD."""
    prices_file: Path | None = None
    """Own prices and discounts, see docs/prices.md; else `prices.toml` in the folder where there is one."""
    rates_file: Path | None = None
    """Dated exchange rates as CSV with the header `date,currency,per_usd`."""

    alert_webhook: str | None = None
    """Address that `tallybook serve` posts to when telemetry fails and when it is well again (docs/http.md)."""


class Name(NamedTuple):
    """One setting's names: variable, S5's variable if it has one, key in the file, and how its text is read."""

    field: str
    variable: str
    seed: str | None
    read: Callable[[str], Any]


def _bool(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("must be true or false")


def _bodies(text: str) -> str:
    lowered = text.strip().lower()
    if lowered in ("none", "preview", "full"):
        return lowered
    return "full" if _bool(lowered) else "none"


def _count(text: str) -> int:
    if not text.strip().isdecimal():
        raise ValueError("must be a whole number, 0 or more")
    return int(text)


def _choice(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        lowered = text.strip().lower()
        if lowered not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return lowered

    return read


def _patterns(text: str) -> tuple[str, ...]:
    return _checked_patterns([line for line in text.splitlines() if line.strip()])


def _checked_patterns(patterns: Iterable[str]) -> tuple[str, ...]:
    found = tuple(patterns)
    for pattern in found:
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return found


def _address(text: str) -> str:
    scheme, _, rest = text.strip().partition("://")
    if scheme.lower() not in ("http", "https") or not rest.split("/", 1)[0]:
        raise ValueError("must be an address as https://hooks.example.com/…")
    return text.strip()


def _path(text: str) -> Path:
    return Path(text).expanduser()


NAMES: tuple[Name, ...] = (
    Name("enabled", "TALLYBOOK_ENABLED", "LLM_TELEMETRY_STORAGE_ENABLED", _bool),
    Name("folder", "TALLYBOOK_DIR", "LLM_TELEMETRY_DIR", _path),
    Name("prompts", "TALLYBOOK_PROMPTS", "LLM_STORE_PROMPTS", _bodies),
    Name("responses", "TALLYBOOK_RESPONSES", "LLM_STORE_RESPONSES", _bodies),
    Name("retention_days", "TALLYBOOK_RETENTION_DAYS", "LLM_RETENTION_DAYS", _count),
    Name("storage_max_mb", "TALLYBOOK_STORAGE_MAX_MB", "LLM_STORAGE_MAX_SIZE_MB", _count),
    Name("body_retention_days", "TALLYBOOK_BODY_RETENTION_DAYS", None, _count),
    Name("fsync", "TALLYBOOK_FSYNC", None, _choice("never", "always")),
    Name("stream_usage", "TALLYBOOK_STREAM_USAGE", None, _choice("auto", "never")),
    Name("redact", "TALLYBOOK_REDACT", None, _bool),
    Name("redact_patterns", "TALLYBOOK_REDACT_PATTERNS", None, _patterns),
    Name("project", "TALLYBOOK_PROJECT", None, str),
    Name("environment", "TALLYBOOK_ENVIRONMENT", None, str),
    Name("user_id", "TALLYBOOK_USER", None, str),
    Name("started", "TALLYBOOK_STARTED", None, _bool),
    Name("url", "TALLYBOOK_URL", None, str),
    Name("key", "TALLYBOOK_KEY", None, str),
    Name("ship", "TALLYBOOK_SHIP", None, _choice("background", "before_return", "never")),
    Name("ship_keep", "TALLYBOOK_SHIP_KEEP", None, _bool),
    Name("timezone", "TALLYBOOK_TIMEZONE", None, str),
    Name("currency", "TALLYBOOK_CURRENCY", None, str),
    Name("prices_file", "TALLYBOOK_PRICES", None, _path),
    Name("rates_file", "TALLYBOOK_RATES", None, _path),
    Name("alert_webhook", "TALLYBOOK_ALERT_WEBHOOK", None, _address),
)

_KNOWN = {name.field: name for name in NAMES}
_PATHS = ("folder", "prices_file", "rates_file")

Tell = Callable[[SettingError], None]
"""What happens to a setting that cannot be used: raised, or told and left at its default."""


def _raise(error: SettingError) -> None:
    raise error


def _find_above(start: Path, name: str) -> Path | None:
    for place in (start, *start.parents):
        candidate = place / name
        try:
            if candidate.exists():
                return candidate
        except OSError:
            continue  # A folder above that this user may not look into holds nothing for this user.
    return None


def default_folder(cwd: Path) -> Path:
    """An existing `.llm-telemetry/` here or above, else the user's data folder, so that all projects add up."""
    found = _find_above(cwd, FOLDER_NAME)
    if found is not None and found.is_dir():
        return found
    import platformdirs  # here, because an explicit folder needs it not (3 ms)

    return Path(platformdirs.user_data_dir("tallybook", appauthor=False))


def _from_file(path: Path, tell: Tell) -> dict[str, Any]:
    import tomllib  # here, because most folders have no file, and it costs a third of a command's start

    values: dict[str, Any] = {}
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        tell(SettingError(f"{path}: {error}", hint="mend the file or remove it"))
        return values
    for key, value in data.items():
        field = "folder" if key == "dir" else key
        if field not in _KNOWN:
            tell(SettingError(f"{path}: unknown setting {key!r}", hint=f"known: {', '.join(sorted(_KNOWN))}"))
            continue
        text = "\n".join(map(str, value)) if isinstance(value, list) else str(value)
        try:
            values[field] = _KNOWN[field].read(text)
        except ValueError as error:
            tell(SettingError(f"{path}: {key} = {value!r}: {error}", hint="see docs/settings.md"))
            values[field] = None
            continue
        if field in _PATHS:
            values[field] = (path.parent / values[field]).resolve()
    return values


def _from_environment(environ: Mapping[str, str], tell: Tell) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in NAMES:
        for variable in (name.variable, name.seed):
            text = environ.get(variable) if variable else None
            if text is None or (text == "" and name.read is not _bool):
                continue
            try:
                values[name.field] = name.read(text)
            except ValueError as error:
                tell(SettingError(f"{variable}={text!r}: {error}", hint="see docs/settings.md"))
                values[name.field] = None
            break
    return values


def _from_code(given: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Settings as code gives them: of their own type, or as a text or truth value that is read as anywhere else."""
    values: dict[str, Any] = {}
    for field, value in given.items():
        if value is None:
            continue
        if field not in _KNOWN:
            tell(SettingError(f"unknown setting {field!r}", hint=f"known: {', '.join(sorted(_KNOWN))}"))
            continue
        try:
            if isinstance(value, list | tuple):
                values[field] = _checked_patterns(value)
            else:
                values[field] = _KNOWN[field].read(str(value))
        except ValueError as error:
            tell(SettingError(f"{field}={value!r}: {error}", hint="see docs/settings.md"))
            values[field] = None
    return values


def load(
    environ: Mapping[str, str] | None = None, cwd: Path | None = None, *, tell: Tell = _raise, **given: Any
) -> Settings:
    """The settings in force. Raises SettingError that names the setting, its value and what is allowed.

    With `tell`, each error goes there instead; that setting then has its default, and no prompt or response is
    stored where the patterns that should mask them cannot be used.
    """
    environ = os.environ if environ is None else environ
    cwd = _working_directory() if cwd is None else cwd
    values: dict[str, Any] = {}
    file = environ.get("TALLYBOOK_CONFIG")
    path = Path(file) if file else _find_above(cwd, FILE_NAME)
    if path is not None:
        values.update(_from_file(path, tell))
    values.update(_from_environment(environ, tell))
    values.update(_from_code(given, tell))
    if values.get("redact_patterns", ()) is None:
        values.update(prompts=None, responses=None)
    values = {field: value for field, value in values.items() if value is not None}
    folder = Path(values.pop("folder", None) or default_folder(cwd)).expanduser()
    return Settings(folder=folder if folder.is_absolute() else cwd / folder, **values)


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except OSError:  # It was removed under the running process.
        return Path(os.sep)
