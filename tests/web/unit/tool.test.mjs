import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from '../../../src/tallybook/web/lib/filter.js';
import { strangers, toolRows } from '../../../src/tallybook/web/lib/tool.js';

test('what tools cannot be filtered by is told in the words it was typed in', () => {
  assert.deepEqual(strangers(parse('project:shop -status:error latency:>2s metadata.region:eu status:ok user:ada').terms), ['status', 'latency', 'metadata.region']);
  assert.deepEqual(strangers(parse('project:(a OR b) agent:x').terms), []);
});

test('a tool whose slow figures are not there has them unknown and not 0', () => {
  const [one, other] = toolRows([{ tool: 'a', uses: 3 }, { tool: 'b', uses: 1 }], 4, [{ tool: 'a', duration_p95_ms: 7, runs: 2 }]);
  assert.deepEqual([one.share, one.duration_p95_ms, one.runs], [0.75, 7, 2]);
  assert.deepEqual([other.share, other.duration_p95_ms, other.runs], [0.25, null, null]);
});
