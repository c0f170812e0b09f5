"""What the JavaScript client adds to an operation under Node: whole results and streams, with and without it.

Short rounds with the client on and off alternate in one process; the CPU time of the process a call is compared, and
what 99 of 100 calls take by the clock at most. Sending is to a real server and is counted with it.

    ./dev bench client [--rounds 20] [--calls 200]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from process import Server

LIMIT_MS = 5.0
CLIENT = Path(__file__).parents[1] / "src" / "tallybook" / "web" / "client.js"
PROGRAM = """
import { configure, flush, stats, trackOperation } from %(client)s;
const [rounds, calls] = process.argv.slice(1).map(Number);
const usage = { prompt_tokens: 1200, completion_tokens: 300, prompt_tokens_details: { cached_tokens: 100 } };
const query = JSON.stringify({ query: 'x'.repeat(200) });
const tool_calls = [{ id: 'a', function: { name: 'search', arguments: query } }];
const choices = [{ message: { tool_calls }, finish_reason: 'stop' }];
const result = { id: 'r', object: 'chat.completion', model: 'gpt-4o', usage, choices };
const delta = { id: 'r', model: 'gpt-4o', choices: [{ delta: { content: 'word ' } }] };
async function* stream() { for (let n = 0; n < 200; n += 1) yield delta; yield { ...delta, choices: [], usage }; }
const kinds = {
  whole: (n) => trackOperation('bench', null, async () => ({ ...result, id: `r${n}` })),
  stream: async () => { for await (const _ of await trackOperation('bench', null, async () => stream())); },
};
const told = {};
for (const [kind, run] of Object.entries(kinds)) {
  const costs = { true: [], false: [] };
  const clock = [];
  for (let round = -2; round < rounds; round += 1) {
    for (const enabled of [true, false]) {
      configure({ enabled });
      const begun = process.cpuUsage();
      for (let n = 0; n < calls; n += 1) {
        const at = performance.now();
        await run(n);
        if (enabled && round >= 0) clock.push(performance.now() - at);
      }
      if (enabled) await flush();
      const { user, system } = process.cpuUsage(begun);
      if (round >= 0) costs[enabled].push((user + system) / calls);
    }
  }
  const median = (all) => all.sort((a, b) => a - b)[all.length >> 1];
  told[kind] = { on_us: median(costs.true), off_us: median(costs.false), p99_ms: 0 };
  told[kind].p99_ms = clock.sort((a, b) => a - b)[Math.floor(clock.length * 0.99)];
}
console.log(JSON.stringify({ told, stats: stats() }));
"""


def main() -> int:
    """Measure and print; 1 when an operation costs more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=200)
    given = parser.parse_args()
    node = shutil.which("node")
    if node is None:
        print("node is not installed", file=sys.stderr)
        return 1
    with Server() as server:
        program = PROGRAM % {"client": json.dumps(CLIENT.as_uri())}
        done = subprocess.run(
            [node, "--input-type=module", "-e", program, str(given.rounds), str(given.calls)],
            env={"TALLYBOOK_URL": server.url}, capture_output=True, text=True, check=True,
        )  # fmt: skip
    return _told(json.loads(done.stdout))


def _told(found: dict[str, dict[str, dict[str, float]]]) -> int:
    print(f"{'operation':<10} {'without':>10} {'with':>10} {'added':>10} {'99 % within':>12}")
    is_within = True
    for kind, cost in found["told"].items():
        added = (cost["on_us"] - cost["off_us"]) / 1000
        is_within = is_within and added < LIMIT_MS
        print(
            f"{kind:<10} {cost['off_us'] / 1000:>8.3f}ms {cost['on_us'] / 1000:>8.3f}ms {added:>8.3f}ms "
            f"{cost['p99_ms']:>10.2f}ms"
        )
    stats = found["stats"]
    print(f"sent {stats['sent']:.0f} of {stats['recorded']:.0f}; limit {LIMIT_MS:.0f} ms an operation: ", end="")
    print("within" if is_within else "BEYOND")
    return 0 if is_within else 1


if __name__ == "__main__":
    sys.exit(main())
