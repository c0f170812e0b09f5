import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csv, orderOf, sorted, usd } from '../../../src/tallybook/web/lib/table.js';

const ROWS = [{ name: 'b', cost: 2 }, { name: 'a', cost: null }, { name: 'c', cost: 10 }];
const NAME = { key: 'name', label: 'Name', isText: true };
const COST = { key: 'cost', label: 'Cost' };

test('what is unknown stands last whichever way a table is sorted', () => {
  assert.deepEqual(sorted(ROWS, COST, true).map((row) => row.name), ['c', 'b', 'a']);
  assert.deepEqual(sorted(ROWS, COST, false).map((row) => row.name), ['b', 'c', 'a']);
  assert.deepEqual(sorted(ROWS, NAME, false).map((row) => row.name), ['a', 'b', 'c']);
});

test('a column may be worked out, and is sorted by that', () => {
  assert.equal(sorted(ROWS, { key: 'x', label: 'X', value: (row) => -(row.cost ?? 0) }, true)[0].name, 'a');
});

test('an order of the address that no column has is the usual one', () => {
  assert.deepEqual(orderOf('-name', [NAME, COST], '-cost'), { key: 'name', isDescending: true });
  assert.deepEqual(orderOf('nothing', [NAME, COST], '-cost'), { key: 'cost', isDescending: true });
  assert.deepEqual(orderOf(null, [NAME, COST], 'cost'), { key: 'cost', isDescending: false });
});

test('CSV keeps cells apart and starts no formula', () => {
  const rows = [{ name: 'a,"b"', cost: 1.5 }, { name: '=1+1', cost: null }, { name: '-x', cost: -2 }];
  assert.equal(csv(rows, [NAME, COST]), 'name,cost\r\n"a,""b""",1.5\r\n\'=1+1,\r\n\'-x,-2\r\n');
});

test('money is handed out in USD, to the nano, and unknown is an empty cell', () => {
  const cost = { key: 'cost_nanousd', label: 'Cost' };
  const rows = [1_234_567_890_123, 5, 2_000_000_000, 0, -1_500_000_000, null, 0.25].map((cost_nanousd) => ({ cost_nanousd }));
  assert.equal(csv(rows, [cost]), 'cost_usd\r\n1234.567890123\r\n0.000000005\r\n2\r\n0\r\n-1.5\r\n\r\n0.00000000025\r\n');
  assert.equal(usd(100_000_000_000), '100');
});
