import assert from 'node:assert/strict';
import { test } from 'node:test';
import { change, count, duration, exact, moment, money, percent } from '../../../src/tallybook/web/lib/format.js';

test('large numbers are short and round over their unit', () => {
  const cases = [[0, '0'], [999, '999'], [1_000, '1k'], [1_234, '1.2k'], [99_949, '99.9k'], [123_456, '123k'], [999_950, '1M'], [1_200_000, '1.2M'], [2.5e9, '2.5B'], [null, '–'], [undefined, '–']];
  for (const [value, text] of cases) assert.equal(count(value), text, String(value));
});

test('the exact figure keeps every digit and says when it is unknown', () => {
  assert.equal(exact(1_234_567), '1,234,567');
  assert.equal(exact(null), 'unknown');
});

test('money shows cents from a dollar on, and two digits that count below', () => {
  const cases = [[0, '$0.00'], [12_400_000_000, '$12.40'], [1_234_567_000_000, '$1,234.57'], [3_400_000, '$0.0034'], [500_000_000, '$0.50'], [1, '$0.000000001'], [null, '–'], [-2_500_000_000, '-$2.50'], [250_000_000_000_000, '$250k']];
  for (const [value, text] of cases) assert.equal(money(value), text, String(value));
  assert.equal(money(2_000_000_000, { symbol: '€', rate: 0.5 }), '€1.00');
});

test('durations are in the unit that people would say', () => {
  const cases = [[850, '850µs'], [1_500, '1.5ms'], [12_000, '12ms'], [999_600, '1.00s'], [1_400_000, '1.40s'], [61_000_000, '1m 01s'], [3_700_000_000, '1h 01m'], [null, '–']];
  for (const [value, text] of cases) assert.equal(duration(value), text, String(value));
});

test('shares below a tenth of a per cent are not called zero', () => {
  assert.deepEqual([0, 0.0004, 0.034, 0.74, 1, null].map(percent), ['0%', '<0.1%', '3.4%', '74%', '100%', '–']);
});

test('a change against nothing is new, and against the unknown is not told', () => {
  assert.equal(change(112, 100), '+12%');
  assert.equal(change(50, 100), '−50%');
  assert.equal(change(1_400, 100), '×14');
  assert.equal(change(5, 0), 'new');
  assert.equal(change(0, 0), '');
  assert.equal(change(5, null), '');
});

test('a moment is shown in the zone that was asked for', () => {
  assert.equal(moment('2026-11-26T23:30:00.000Z', 'Europe/Berlin'), '2026-11-27 00:30:00');
});
