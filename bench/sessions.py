"""Made-up sessions of coding agents in the form in which Claude Code writes them, for the importer's benchmark.

The shape follows what real transcripts look like (lines by type, their lengths, one response in several lines, tool
results twice in a line, thinking with its signature, hook and shell progress, copies in resumed sessions): some 8.3 kB
of transcript a response. All text is made up here, deterministic by seed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

WORDS = ("def", "return", "self", "value", "index", "error", "the", "order", "customer", "invoice", "if", "not", "None",
         "test", "assert", "path", "file", "line", "import", "from", "class", "total", "price", "cache", "token",
         "“quoted”", "naïve", "über", "=>", "{", "}", "()", "[0]", "!=", "0x7f", "#", "//", "→")  # fmt: skip
MODELS = ("claude-opus-4-5-20251101", "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001")
TOOLS = ("Read", "Bash", "Edit", "Grep", "Write", "Glob")
PROJECTS = ("storefront", "support-desk", "atlas", "reports", "mailroom", "codeloft")


class Made(NamedTuple):
    """What was written: files, bytes, distinct responses, and the sums of their tokens as billed."""

    files: int
    bytes: int
    responses: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int


class _Texts:
    """A stock of texts as JSON strings without their quotes, by length."""

    def __init__(self, r: random.Random) -> None:
        self._r = r
        self._stock = {size: [self._make(size) for _ in range(40)] for size in (40, 120, 250, 700, 1500, 4000, 9000)}

    def _make(self, size: int) -> str:
        r = self._r
        parts: list[str] = []
        length = 0
        while length < size:
            line = "    " * r.randrange(4) + " ".join(r.choice(WORDS) for _ in range(r.randrange(3, 12)))
            parts.append(line + r.choice(("\n", "\n", '"\n', "\t\n")))
            length += len(line) + 2
        return json.dumps("".join(parts)[:size], ensure_ascii=False)[1:-1]

    def draw(self, size: int) -> str:
        return self._r.choice(self._stock[size])


class _Session:
    """Writes one session's lines."""

    def __init__(self, r: random.Random, texts: _Texts, number: int, start_s: float) -> None:
        self._r = r
        self._texts = texts
        self.id = self._uuid()
        project = r.choice(PROJECTS)
        self._at_s = start_s
        self._head = (
            f'"isSidechain":false,"userType":"external","cwd":"/srv/ada/src/{project}","sessionId":"{self.id}",'
            f'"version":"2.1.38","gitBranch":"feature/{number % 9}","slug":"quiet-made-up-{number}"'
        )
        self._model = r.choices(MODELS, (5, 3, 2))[0]
        self._context = 18_000

    def _uuid(self) -> str:
        h = f"{self._r.getrandbits(128):032x}"
        return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"

    def _time(self, step: float) -> str:
        self._at_s += step
        at = datetime.fromtimestamp(self._at_s, UTC)
        return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"

    def user(self, text: str) -> str:
        return (
            f'{{"parentUuid":"{self._uuid()}",{self._head},"type":"user","message":{{"role":"user","content":"{text}"}},'
            f'"uuid":"{self._uuid()}","timestamp":"{self._time(30)}","thinkingMetadata":{{"level":"high","disabled":false,'
            '"triggers":[]},"todos":[],"permissionMode":"default"}\n'
        )

    def noise(self) -> str:
        kind = self._r.random()
        if kind < 0.25:
            return (
                f'{{"type":"file-history-snapshot","messageId":"{self._uuid()}","snapshot":{{"messageId":"{self._uuid()}",'
                f'"trackedFileBackups":{{}},"timestamp":"{self._time(0.01)}"}},"isSnapshotUpdate":false}}\n'
            )
        data = (
            f'{{"type":"bash_progress","output":"{self._texts.draw(120)}","fullOutput":"{self._texts.draw(120)}",'
            '"elapsedTimeSeconds":3,"totalLines":2,"timeoutMs":60000}'
            if kind < 0.6
            else '{"type":"hook_progress","hookEvent":"PreToolUse","hookName":"PreToolUse:Bash","command":"lint -q"}'
        )
        return (
            f'{{"parentUuid":"{self._uuid()}",{self._head},"type":"progress","data":{data},"toolUseID":"toolu_x",'
            f'"parentToolUseID":"toolu_x","uuid":"{self._uuid()}","timestamp":"{self._time(0.2)}"}}\n'
        )

    def response(self, tool: bool) -> tuple[list[str], tuple[int, int, int, int]]:
        """The lines of one response with its tool's result, and the usage that counts."""
        r, draw = self._r, self._texts.draw
        message, request = f"msg_{r.getrandbits(100):025x}", f"req_{r.getrandbits(100):025x}"
        fresh, written = r.randrange(1, 9), r.randrange(200, 4000)
        read, self._context = self._context, self._context + written
        final = r.randrange(120, 1200)
        cached = (
            f'"cache_creation_input_tokens":{written},"cache_read_input_tokens":{read},"cache_creation":'
            f'{{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":{written}}}'
        )
        blocks: list[str] = []
        if r.random() < 0.5:
            blocks.append(f'{{"type":"thinking","thinking":"{draw(250)}","signature":"{"Eq" + "Az09+/" * 120}"}}')
        if r.random() < 0.6 or not tool:
            blocks.append(f'{{"type":"text","text":"{draw(250)}"}}')
        use = f"toolu_{r.getrandbits(96):024x}"
        if tool:
            blocks.append(
                f'{{"type":"tool_use","id":"{use}","name":"{r.choice(TOOLS)}","input":{{"command":"{draw(120)}",'
                f'"description":"{draw(40)}"}}}}'
            )
        lines = []
        for number, block in enumerate(blocks):
            output = final if number == len(blocks) - 1 else r.randrange(1, 12)
            lines.append(
                f'{{"parentUuid":"{self._uuid()}",{self._head},"message":{{"model":"{self._model}","id":"{message}",'
                f'"type":"message","role":"assistant","content":[{block}],"stop_reason":null,"stop_sequence":null,'
                f'"usage":{{"input_tokens":{fresh},{cached},"output_tokens":{output},"service_tier":"standard",'
                f'"inference_geo":"not_available"}}}},"requestId":"{request}","type":"assistant","uuid":"{self._uuid()}",'
                f'"timestamp":"{self._time(2.5)}"}}\n'
            )
        if tool:
            size = r.choices((120, 700, 1500, 4000, 9000), (8, 9, 9, 4, 2))[0]
            text = draw(size)
            lines.append(
                f'{{"parentUuid":"{self._uuid()}",{self._head},"type":"user","message":{{"role":"user","content":'
                f'[{{"tool_use_id":"{use}","type":"tool_result","content":"{text}","is_error":false}}]}},'
                f'"uuid":"{self._uuid()}","timestamp":"{self._time(1.5)}","toolUseResult":{{"stdout":"{text}",'
                f'"stderr":"","interrupted":false,"isImage":false}},"sourceToolAssistantUUID":"{self._uuid()}"}}\n'
            )
        return lines, (fresh + read + written, read, written, final)


def lines_of(r: random.Random, texts: _Texts, session: _Session) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """A session's portions of lines, each with the usage that it adds."""
    for _ in range(r.randrange(3, 12)):
        yield [session.user(texts.draw(250))], (0, 0, 0, 0, 0)
        for turn in range(r.randrange(2, 25)):
            yield [session.noise() for _ in range(r.randrange(4))], (0, 0, 0, 0, 0)
            lines, usage = session.response(tool=turn > 0)
            yield lines, (1, *usage)


def write(folder: Path, megabytes: float, *, seed: int = 7, until_s: float = 1_790_000_000.0) -> Made:
    """Fill `folder`/projects with sessions of about `megabytes` in all, over 60 days; 2 % are copied on by a resume."""
    r = random.Random(seed)
    texts = _Texts(r)
    total = [0, 0, 0, 0, 0]
    files = size = number = 0
    while size < megabytes * 1e6:
        session = _Session(r, texts, number, until_s - r.random() * 60 * 86_400)
        place = folder / "projects" / f"-srv-ada-src-{PROJECTS[number % len(PROJECTS)]}"
        place.mkdir(parents=True, exist_ok=True)
        portions = list(lines_of(r, texts, session))
        data = "".join(line for lines, _ in portions for line in lines).encode()
        for _, usage in portions:
            total = [known + more for known, more in zip(total, usage, strict=True)]
        (place / f"{session.id}.jsonl").write_bytes(data)
        files, size, number = files + 1, size + len(data), number + 1
        if number % 50 == 0:
            (place / f"{session._uuid()}.jsonl").write_bytes(data)
            files, size = files + 1, size + len(data)
    return Made(files, size, *total)
