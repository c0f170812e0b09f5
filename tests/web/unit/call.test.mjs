import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buckets, costParts, costText, elsewhere } from '../../../src/tallybook/web/lib/call.js';

test('buckets add up to input and output and never overlap', () => {
  const call = { tokens: { input: 100, output: 30, cache_read: 40, cache_write_5m: 10, reasoning: 12 } };
  const parts = buckets(call);
  assert.equal(parts.filter((part) => part.side === 'input').reduce((sum, part) => sum + part.tokens, 0), 100);
  assert.equal(parts.filter((part) => part.side === 'output').reduce((sum, part) => sum + part.tokens, 0), 30);
  assert.deepEqual(parts.map((part) => part.tokens), [40, 10, 50, 12, 18]);
  assert.deepEqual(buckets({ tokens: { input: null, output: null } }), []);
});

test('a cost says how far it can be trusted', () => {
  assert.equal(costText({ cost_nanousd: 500_000_000, cost: { status: 'priced' } }), '$0.50');
  assert.equal(costText({ cost_nanousd: 500_000_000, cost: { status: 'estimated' } }), '~$0.50');
  assert.equal(costText({ cost_nanousd: 500_000_000, cost: { status: 'partial' } }), '$0.50+');
  assert.equal(costText({ cost_nanousd: null, cost: { status: 'unpriced' } }), 'unpriced');
  assert.deepEqual(costParts({ cost: { input_nanousd: 5, output_nanousd: 0, tools_nanousd: 7 } }), [{ name: 'input', nanousd: 5 }, { name: 'tools and fees', nanousd: 7 }]);
});

test('a call is named the same on the page, on the command line and over HTTP', () => {
  const { link, command, request } = elsewhere({ call_id: 'x' }, 'http://h');
  assert.deepEqual([link, command, request], ['http://h/calls?call=x', 'tallybook show x', 'curl http://h/api/v1/calls/x']);
});
