"""What a question reads: Parquet files of the manifest by name, and hot lines as a table, as one relation.

Reading takes no lock. When a file vanishes under a reader (a segment was sealed, a day compacted) it takes a new
view of the folder and starts over; when a file cannot be read it is set aside, reported, and the rest is served.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from tallybook.model.errors import StorageError
from tallybook.store.base import Warned
from tallybook.store.lake import manifest as manifests
from tallybook.store.lake.amend import joined_sql, touches
from tallybook.store.lake.amend import load as load_amendments
from tallybook.store.lake.counted import COUNTS, Counted
from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.grown import TABLE as GROWN
from tallybook.store.lake.grown import Grown, Recent
from tallybook.store.lake.kept import Kept
from tallybook.store.lake.lines import Lines
from tallybook.store.lake.manifest import File, FileKind, Manifest, Snapshot
from tallybook.store.lake.price import Prices
from tallybook.store.lake.probe import with_promoted
from tallybook.store.lake.repeat import NEEDED, REPEAT_WITHIN_US, settle
from tallybook.store.lake.running import Runnings
from tallybook.store.lake.schema import (
    COLUMNS,
    COST_COLUMNS,
    TOOL_COLUMNS,
    files_sql,
    name_sql,
    pointer,
    restored_sql,
    text_sql,
)
from tallybook.store.lake.scratch import spill_path
from tallybook.store.lake.tools import hot_tools
from tallybook.store.lake.usage_raw import decoded_sql

_TRIES = 50
_MEMORY = "700MB"
_MUCH_BYTES = 64_000_000
"""Hot lines of which only the columns in question are read."""
HOT = "hot"
HOT_TOOLS = "hot_tools"
HOT_STEPS = "hot_steps"
SUPERSEDED = "superseded"
"""Sealed calls of which a hot line is the better record."""
_USUAL = frozenset((
    "call_id", "day", "started_at", "duration_us", "ttft_us", "project", "environment", "operation", "name",
    "provider", "model", "requested_model", "response_model", "run_id", "session_id", "user_id", "agent_name",
    "status", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens",
    "cache_write_1h_tokens", "reasoning_tokens", "tool_call_count", "cost_nanousd", "cost_status",
))  # fmt: skip
"""Columns that most questions ask for."""
_TOOL_INPUTS = (
    "tool_calls", "day", "project", "provider", "model", "agent_name", "user_id", "run_id", "session_id",
)  # fmt: skip
_NOTHING_HOT = Recent((-1,), 0, ())
T = TypeVar("T")


def connect() -> duckdb.DuckDBPyConnection:
    """A connection to an empty database in memory, set for reading Parquet by name in UTC."""
    con = duckdb.connect(
        ":memory:",
        config={"memory_limit": _MEMORY, "temp_directory": str(spill_path()), "autoinstall_known_extensions": "false"},
    )
    con.execute("SET TimeZone='UTC'; SET parquet_metadata_cache=true; SET enable_progress_bar=false")
    return con


class View(NamedTuple):
    """A snapshot with files that were set aside taken out."""

    manifest: Manifest
    hot: dict[Any, list[str]]


class Reader:
    """A connection, and the folder's files as relations on it. Not safe for several threads at once."""

    def __init__(self, folder: Path, prices: Prices | None, *, with_hot: bool = True) -> None:
        self.folder = folder
        self._with_hot = with_hot
        self.prices = prices
        self._con: duckdb.DuckDBPyConnection | None = None
        self._lines: Lines | None = None
        self._grown: Grown | None = None
        self._counted: Counted | None = None
        self._kept: Kept | None = None
        self.runnings = Runnings()
        self._held: View | None = None
        self._held_states: dict[tuple[str, ...], tuple[Any, ...]] = {}
        self._seen = manifests.Seen()
        self._aside: dict[str, Warned] = {}
        self._problem: str | None = None
        self._promoted: dict[str, dict[str, str]] = {}
        self._hot_state: tuple[Any, ...] = ()
        self._recent_state: tuple[Any, ...] = ()
        self._amended: tuple[tuple[Any, ...], bool] = ((), False)
        self._hot_columns: frozenset[str] = frozenset()
        self._is_grown = False
        self._superseded = False
        self._tools_state: tuple[Any, ...] = ()
        self._asked: frozenset[str] = frozenset()
        self._narrow = False

    @property
    def con(self) -> duckdb.DuckDBPyConnection:
        """The connection, opened at first use."""
        if self._con is None:
            self._con = connect()
        return self._con

    @property
    def lines(self) -> Lines:
        """The reader of hot lines."""
        if self._lines is None:
            self._lines = Lines(self.con, self.folder)
        return self._lines

    @property
    def grown(self) -> Grown:
        """The table of hot lines that grows from question to question."""
        if self._grown is None:
            self._grown = Grown(self.con, self.folder, self.lines, self.counted)
        return self._grown

    @property
    def counted(self) -> Counted:
        """Which rows of that table count."""
        if self._counted is None:
            self._counted = Counted(self.con, self.folder, GROWN, SUPERSEDED)
        return self._counted

    def mark(self, view: View) -> tuple[Any, int] | None:
        """What tells the hot rows of this moment from others, and the place of the last one, after `hot`; `None` where
        further rows cannot be told apart.
        """
        if not view.hot.get("telemetry", []):
            return _NOTHING_HOT.changes, 0
        if not self._is_grown or self._superseded:
            return None
        return self.grown.recent.changes, self.grown.place

    @property
    def kept(self) -> Kept:
        """Sealed parts of answers."""
        if self._kept is None:
            self._kept = Kept(self.con)
        return self._kept

    def keep(self, view: View, select: str) -> str:
        """The rows of a SELECT over sealed files of the view, kept until something is sealed."""
        return self.kept.relation((view.manifest.sequence, len(view.manifest.files)), select)

    @contextmanager
    def steady(self) -> Iterator[None]:
        """See `CallStore.steady`. A file that vanishes meanwhile ends it: then the rest is of a newer state."""
        if self._held is not None:
            yield
            return
        self._hold()
        try:
            yield
        finally:
            self._held = None
            self._held_states.clear()

    def _hold(self) -> None:
        self._held = self.view()
        self._held_states.clear()

    def answer(self, work: Callable[[View], T]) -> T:
        """Do `work` on a consistent view, again when a file vanished or was found damaged meanwhile."""
        for _ in range(_TRIES):
            view = self.view() if self._held is None else self._held
            try:
                return work(view)
            except FileNotFoundError:
                self._forget_hot()
            except duckdb.Error as error:
                self._forget_hot()
                if not self._explained(view, error):
                    raise
            if self._held is not None:
                self._hold()
        raise StorageError(
            f"{self.folder}: files change faster than they can be read",
            hint="look for another program that removes files",
        )

    def view(self) -> View:
        """The folder as it is now, without what was set aside."""
        snap: Snapshot = manifests.snapshot(self.folder, self._seen)
        self._problem = snap.problem
        manifest = snap.manifest
        if manifest.is_rebuilt:
            manifest = with_promoted(self.con, self.folder, manifest, self._promoted)
        if self._aside:
            kept = tuple(file for file in manifest.files if file.path not in self._aside)
            manifest = msgspec.structs.replace(manifest, files=kept)
        return View(manifest, snap.hot if self._with_hot else {})

    def _explained(self, view: View, error: duckdb.Error) -> bool:
        """Whether the failure came from a file that is gone (a new view helps) or damaged (it is set aside)."""
        paths = [file.path for file in view.manifest.files]
        if any(not (self.folder / path).exists() for path in paths):
            return self._gone(view)
        text = str(error)
        named = [path for path in paths if path in text]
        for path in named or paths:
            damage = damage_of(self.con, self.folder / path)
            if damage is not None:
                self._aside[path] = Warned(path, *damage)
                return True
        return False

    def _gone(self, view: View) -> bool:
        """A file of the manifest is gone: fine when the manifest changed, else the file was lost and is set aside."""
        current = {file.path for file in self.view().manifest.files}
        for file in view.manifest.files:
            if file.path in current and not (self.folder / file.path).exists():
                self._aside[file.path] = Warned(file.path, None, "the file is gone")
        return True

    def set_aside(self) -> list[Warned]:
        """What this reader has met."""
        found = list(self._aside.values())
        if self._lines is not None:
            found.extend(self._lines.found.values())
        if self._problem is not None:
            found.append(Warned(manifests.NAME, 0, self._problem))
        return found

    def warnings(self) -> list[Warned]:
        """Everything set aside so far, also by earlier sealings."""
        found = self.set_aside()
        met = {one.path for one in found if one.path in self._aside}
        found.extend(Warned(d.path, d.offset, d.reason) for d in self.view().manifest.damaged if d.path not in met)
        return found

    def hot(self, view: View, columns: Iterable[str]) -> bool:
        """Make the table `hot` of the view's hot lines with at least these columns; False when there are none."""
        paths = view.hot.get("telemetry", [])
        if not paths:
            return False
        wanted = frozenset(columns)
        state = self._state(paths, view.manifest)
        if state == self._hot_state and wanted <= self._hot_columns:
            return True
        self._hot_state = self._tools_state = ()
        # One load serves a whole report, and what was made on the table before (views, tools) still finds its columns.
        # Where much is hot, columns that nobody asked for (and their prices) would cost seconds.
        self._asked |= wanted
        wanted = self._asked if self._is_much(state) else self._asked | _USUAL
        wanted |= NEEDED
        if not self._grow(view, paths, wanted):
            self._load_whole(view, paths, wanted)
        self._hot_state, self._hot_columns = state, wanted
        return True

    def recent(self, view: View) -> Recent | None:
        """The last of the view's hot rows, for who knows of the ones before; `None` where all of them have to be read.

        The table `hot` may lack them until `hot` is called.
        """
        paths = view.hot.get("telemetry", [])
        if not paths:
            return _NOTHING_HOT
        if view.manifest.is_rebuilt or not self._is_grown:
            return None
        state = self._state(paths, view.manifest)
        if state not in (self._hot_state, self._recent_state):
            if self._is_much(state) or not self.grown.advance(paths, self._hot_columns, view.manifest, self.prices):
                return None
            self._recent_state = state
        return None if self._superseded else self.grown.recent

    def _grow(self, view: View, paths: Sequence[str], wanted: frozenset[str]) -> bool:
        """Serve `hot` by adding what is new since the last question; False when these lines need a closer look."""
        if self._is_grown and self.grown.advance(paths, wanted, view.manifest, self.prices) and self.grown.flush():
            return True  # All of them count, and the view is on the very table.
        self._is_grown = False
        if view.manifest.is_rebuilt or not self.grown.refresh(paths, wanted, self.prices):
            return False
        if not self.grown.has_rows:
            return False
        self.grown.count(view.manifest)
        self._superseded = self.counted.superseded > 0
        self.lines.drop(HOT)
        where = f" WHERE {COUNTS}" if self.counted.has_marks else ""
        self.con.execute(f"CREATE OR REPLACE TEMP VIEW {HOT} AS SELECT * FROM {GROWN}{where}")
        self._is_grown = True
        return True

    def _load_whole(self, view: View, paths: Sequence[str], wanted: frozenset[str]) -> None:
        """Read all hot lines anew, take out repeats and what is sealed already."""
        is_priced = self.lines.load(HOT, paths, wanted)
        self._superseded = False
        self._without_sealed(view)
        if is_priced:
            self.lines.price(HOT, self.prices)

    def _is_much(self, state: tuple[Any, ...]) -> bool:
        """Whether so much is hot that only what is asked for is read; back only at a quarter, so as not to waver."""
        size = sum(size for _, size in state[1:])
        much = bool(size >= (_MUCH_BYTES // 4 if self._narrow else _MUCH_BYTES))
        if much and not self._narrow:
            self.grown.forget()
        self._narrow = much
        return much

    def _state(self, paths: Sequence[str], manifest: Manifest) -> tuple[Any, ...]:
        known = None if self._held is None else self._held_states.get(tuple(paths))
        if known is None:
            known = (manifest.sequence, *((path, (self.folder / path).stat().st_size) for path in paths))
            if self._held is not None:
                self._held_states[tuple(paths)] = known
        return known

    def stamp(self, view: View) -> str:
        """A text that tells this state of the folder from every other. Raises FileNotFoundError as `hot`."""
        paths = [path for kind in sorted(view.hot) for path in view.hot[kind]]
        state = (*self._state(paths, view.manifest), len(view.manifest.files))
        return hashlib.blake2b(repr(state).encode("utf-8", "surrogateescape"), digest_size=9).hexdigest()

    def _forget_hot(self) -> None:
        self._hot_state = self._recent_state = self._tools_state = ()
        self._amended = (), False
        self._is_grown = False

    def _without_sealed(self, view: View) -> None:
        """Take out hot calls that are in a file already. Looked for only where a repeat can be."""
        row = self.con.execute(
            f"SELECT epoch_us(min(started_at)), epoch_us(max(started_at)), "
            f"count(*) FILTER (may_repeat OR source NOT IN ('sdk', 'track')) FROM {HOT}"
        ).fetchone()
        if row is None or row[0] is None:
            return
        near = view.manifest.of("calls", row[0] - REPEAT_WITHIN_US, row[1] + REPEAT_WITHIN_US)
        if not near or not (row[2] or view.manifest.is_rebuilt or any(file.is_mixed for file in near)):
            return
        self._superseded = (
            settle(self.con, HOT, [self.path(file) for file in near], SUPERSEDED, view.manifest.removed) > 0
        )

    def supersedes(self, view: View, columns: Iterable[str] = ()) -> bool:
        """Whether a hot line is the better record of a sealed call; hot lines are read with at least these columns.

        The relations leave those sealed calls out; summaries still hold them until the next sealing.
        """
        return self.hot(view, columns) and self._superseded

    def superseded_files(self, view: View) -> list[File]:
        """Files of calls of the days of those sealed calls, after `supersedes` said that there are some."""
        rows = self.con.execute(f"SELECT DISTINCT CAST(day AS VARCHAR) FROM {SUPERSEDED}").fetchall()
        days = {day for (day,) in rows}
        return [file for file in view.manifest.of("calls") if file.day in days]

    def superseded_sql(self, view: View, columns: Iterable[str]) -> str:
        """Those sealed calls as they are in the files."""
        paths = [self.path(file) for file in self.superseded_files(view)]
        names = ", ".join(name_sql(name) for name in columns)
        return f"SELECT {names} FROM read_parquet({files_sql(paths)}) SEMI JOIN {SUPERSEDED} USING (call_id)"

    def _leaves_out(self, view: View) -> bool:
        return self._superseded and self._hot_state[:1] == (view.manifest.sequence,)

    def path(self, file: File) -> str:
        """The file's absolute path."""
        return str(self.folder / file.path)

    def calls(
        self,
        view: View,
        columns: Iterable[str],
        keys: Iterable[str] = (),
        since_us: int | None = None,
        until_us: int | None = None,
        files: Sequence[File] | None = None,
        with_hot: bool = True,
    ) -> str:
        """The relation of calls with `columns` and, as `metadata.<key>`, the metadata keys."""
        names = sorted({"call_id", *columns})
        wanted = sorted(keys)
        chosen = view.manifest.of("calls", since_us, until_us) if files is None else files
        parts: list[str] = []
        has_hot = with_hot and self.hot(view, {*names, *(("metadata",) if wanted else ())})
        left = f" WHERE call_id NOT IN (SELECT call_id FROM {SUPERSEDED})" if self._leaves_out(view) else ""
        for promoted, paths in grouped(self.folder, chosen, wanted, "metadata" in names):
            select = [column_sql(name, promoted) for name in names]
            select += [_key_sql(key, promoted) for key in wanted]
            parts.append(f"SELECT {', '.join(select)} FROM read_parquet({files_sql(paths)}){left}")
        if has_hot:
            select = [name_sql(name) for name in names] + [_key_sql(key, {}) for key in wanted]
            parts.append(f"SELECT {', '.join(select)} FROM {HOT}")
        if not parts:
            self._make_empty()
            select = [name_sql(name) for name in names] + [_key_sql(key, {}) for key in wanted]
            parts.append(f"SELECT {', '.join(select)} FROM empty_calls")
        union = " UNION ALL ".join(parts)
        if touches(names) and self.amended(view):
            union = joined_sql(union, names)
        if view.manifest.is_rebuilt:  # The same call may be in an old file and in the one that replaced it.
            return f"SELECT * FROM ({union}) QUALIFY row_number() OVER (PARTITION BY call_id) = 1"
        return union  # fmt: skip

    def amended(self, view: View) -> bool:
        """Make the table `amended`; False when no cost was amended. Read again only when a line was added."""
        paths = view.hot.get("amendments", [])
        if not paths:
            return False
        state = self._state(paths, view.manifest)
        if state != self._amended[0]:
            self._amended = (), False  # Should reading fail, nothing of before holds.
            self._amended = state, load_amendments(self.con, self.folder, paths)
        return self._amended[1]

    def _make_empty(self) -> None:
        columns = [(column.name, column.type) for column in COLUMNS] + list(COST_COLUMNS)
        definition = ", ".join(f"{name_sql(name)} {type_}" for name, type_ in columns)
        self.con.execute(f"CREATE TEMP TABLE IF NOT EXISTS empty_calls ({definition})")

    def tools(
        self,
        view: View,
        columns: Iterable[str],
        since_us: int | None = None,
        until_us: int | None = None,
        files: Sequence[File] | None = None,
        with_hot: bool = True,
    ) -> str:
        """The relation of tool uses (`schema.TOOL_COLUMNS`)."""
        names = sorted({"call_id", *columns})
        select = ", ".join(name_sql(name) for name in names)
        chosen = view.manifest.of("tools", since_us, until_us) if files is None else files
        parts = []
        has_hot = with_hot and self.hot_tools(view)
        if chosen:
            left = f" WHERE is_step OR call_id NOT IN (SELECT call_id FROM {SUPERSEDED})"
            files_of = f"read_parquet({files_sql([self.path(file) for file in chosen])})"
            parts.append(f"SELECT {select} FROM {files_of}{left if self._leaves_out(view) else ''}")
        if has_hot:
            parts.append(f"SELECT {select} FROM {HOT_TOOLS}")
        if not parts:
            definition = ", ".join(f"{name} {type_}" for name, type_ in TOOL_COLUMNS)
            self.con.execute(f"CREATE TEMP TABLE IF NOT EXISTS empty_tools ({definition})")
            parts.append(f"SELECT {select} FROM empty_tools")
        return " UNION ALL ".join(parts)  # fmt: skip

    def hot_tools(self, view: View) -> bool:
        """Make the table `hot_tools`; False when there is no hot line."""
        paths = view.hot.get("telemetry", [])
        steps = view.hot.get("steps", [])
        if not paths and not steps:
            return False
        state = self._state([*paths, *steps], view.manifest)
        if state != self._tools_state:
            has_calls = self.hot(view, _TOOL_INPUTS)
            has_steps = self.hot_steps(view)
            sealed = [self.path(file) for file in view.manifest.of("tools")]
            near = self.lines.steps_near(HOT_STEPS, view.manifest) if has_steps else []
            hot_tools(self.con, HOT if has_calls else None, HOT_STEPS if has_steps else None, HOT_TOOLS, sealed, near)
            self._tools_state = state
        return True

    def hot_steps(self, view: View) -> bool:
        """Make the table `hot_steps`; False when there are none."""
        paths = view.hot.get("steps", [])
        if not paths:
            return False
        self.lines.load_steps(HOT_STEPS, paths)
        return True

    def files(self, view: View, kind: FileKind, since_us: int | None = None, until_us: int | None = None) -> list[str]:
        """Absolute paths of a kind's files in a span."""
        return [self.path(file) for file in view.manifest.of(kind, since_us, until_us)]

    def close(self) -> None:
        """Close the connection and remove scratch files."""
        if self._grown is not None:
            self._grown.close()
            self._grown = None
        # A store that is asked again opens another connection, on which nothing is made yet.
        self._counted = self._kept = None
        self.runnings.clear()
        self._forget_hot()
        if self._lines is not None:
            self._lines.close()
            self._lines = None
        if self._con is not None:
            self._con.close()
            self._con = None


def grouped(
    folder: Path, files: Sequence[File], keys: Sequence[str], whole: bool
) -> list[tuple[dict[str, str], list[str]]]:
    """Files by which of the needed metadata keys have their own column in them."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for file in files:
        has = tuple(sorted((key, type_) for key, type_ in file.promoted.items() if whole or key in keys))
        groups.setdefault(has, []).append(str(folder / file.path))
    return [(dict(has), paths) for has, paths in groups.items()]


def column_sql(name: str, promoted: dict[str, str]) -> str:
    """A column of a file; `metadata` is put together again from what was promoted."""
    if name == "usage_raw":
        return decoded_sql()
    if name != "metadata" or not promoted:
        return name_sql(name)
    return restored_sql(promoted)


def _key_sql(key: str, promoted: dict[str, str]) -> str:
    alias = name_sql(f"metadata.{key}")
    if key in promoted:
        return f"CAST({alias} AS VARCHAR) AS {alias}"
    return f"json_extract_string(metadata, {text_sql(pointer(key))}) AS {alias}"


def damage_of(con: duckdb.DuckDBPyConnection, path: Path) -> tuple[int | None, str] | None:
    """Offset and reason of a Parquet file's damage; `None` when all of it can be read."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(size - 4, 0))
        tail = file.read(4)
    if head != b"PAR1":
        return 0, "not a Parquet file"
    if tail != b"PAR1":
        return size, "cut off: the footer is missing"
    quoted = text_sql(str(path))
    try:
        con.execute(f"SELECT count(*) FROM read_parquet({quoted})").fetchall()
        chunks = con.execute(
            f"SELECT row_group_id, path_in_schema, coalesce(dictionary_page_offset, data_page_offset) "
            f"FROM parquet_metadata({quoted}) ORDER BY 3"
        ).fetchall()
        starts = con.execute(
            f"SELECT row_group_id, any_value(row_group_num_rows) FROM parquet_metadata({quoted}) GROUP BY 1 ORDER BY 1"
        ).fetchall()
    except duckdb.Error as error:
        return size - 8, f"the footer cannot be read: {error}"
    spans: dict[int, tuple[int, int]] = {}
    at = 0
    for group, rows in starts:
        spans[group] = (at, at + rows)
        at += rows
    for group, column, offset in chunks:
        low, high = spans[group]
        try:
            con.execute(
                f"SELECT bit_xor(hash({name_sql(column)})) FROM read_parquet({quoted}, file_row_number=true) "
                f"WHERE file_row_number >= {low} AND file_row_number < {high}"
            ).fetchall()
        except duckdb.Error as error:
            return offset, f"column {column}: {error}"
    return None
