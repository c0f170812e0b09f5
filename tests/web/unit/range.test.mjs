import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketDate, grainFor, spanOf, stepsWithin } from '../../../src/tallybook/web/lib/range.js';

const NOW = new Date('2026-11-26T04:00:00Z');

test('a relative range stays relative, and an unknown one is the usual', () => {
  assert.deepEqual(spanOf(new URLSearchParams('range=7d'), NOW), { days: 7, since: null, until: null, label: 'Last 7 days', grain: 'day' });
  assert.equal(spanOf(new URLSearchParams('range=24h'), NOW).since, '24h');
  assert.equal(spanOf(new URLSearchParams('range=nonsense'), NOW).days, 30);
});

test('days that were chosen win over the range, with steps that fit them', () => {
  const span = spanOf(new URLSearchParams('range=7d&since=2026-11-01&until=2026-11-03'), NOW);
  assert.deepEqual([span.since, span.until, span.grain], ['2026-11-01', '2026-11-03', 'hour']);
  assert.deepEqual([1, 30, 90, 700].map(grainFor), ['hour', 'day', 'week', 'month']);
});

test('a bucket of local time is drawn where its clock stood', () => {
  assert.equal(bucketDate('2026-11-22').toISOString(), '2026-11-22T00:00:00.000Z');
  assert.equal(bucketDate('2026-11-22T14').toISOString(), '2026-11-22T14:00:00.000Z');
});

test('what was dragged over are whole steps: points where they stand, bars by their middle', () => {
  const day = (/** @type {number} */ number, hour = 0) => new Date(Date.UTC(2026, 10, number, hour));
  const days = [4, 3, 2, 1].map((one) => day(one));
  assert.deepEqual(stepsWithin(days, day(1, 20), day(3, 2), false), { from: day(2), to: day(4) });
  assert.deepEqual(stepsWithin(days, day(1, 11), day(3, 2), true), { from: day(1), to: day(3) });
  assert.deepEqual(stepsWithin(days, day(4), day(9), false), { from: day(4), to: day(5) });
  assert.equal(stepsWithin(days, day(1, 2), day(1, 9), false), null);
  assert.equal(stepsWithin([day(1), day(1)], day(1), day(2), false), null);
});
