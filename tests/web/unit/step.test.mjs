import assert from 'node:assert/strict';
import { test } from 'node:test';
import { movedPoints, stackedPoints } from '../../../src/tallybook/web/lib/question.js';
import { filled, stepsOf } from '../../../src/tallybook/web/lib/step.js';

const NOW = new Date('2026-11-27T04:17:00Z');
const span = (since, until = null, timezone = 'Europe/Berlin') => ({ since, until, timezone });

test('days are the local ones, today the last, whatever the span reaches', () => {
  assert.deepEqual(stepsOf(span('2026-11-24T23:00:00.000Z', '2026-11-27T23:00:00.000Z'), 'day', NOW), ['2026-11-25', '2026-11-26', '2026-11-27']);
  assert.deepEqual(stepsOf(span('2026-11-17T23:00:00.000Z', '2026-11-20T04:17:00.000Z'), 'day', NOW), ['2026-11-18', '2026-11-19', '2026-11-20']);
  assert.deepEqual(stepsOf(span('2026-11-17T23:00:00.000Z', '2026-11-19T23:00:00.000Z'), 'day', NOW), ['2026-11-18', '2026-11-19']);
});

test('hours, weeks from Monday and months', () => {
  assert.deepEqual(stepsOf(span('2026-11-27T02:30:00.000Z'), 'hour', NOW), ['2026-11-27T03', '2026-11-27T04', '2026-11-27T05']);
  assert.deepEqual(stepsOf(span('2026-11-15T12:00:00.000Z', null, 'UTC'), 'week', NOW), ['2026-11-09', '2026-11-16', '2026-11-23']);
  assert.deepEqual(stepsOf(span('2026-09-30T23:00:00.000Z'), 'month', NOW), ['2026-10-01', '2026-11-01']);
});

test('a span without a beginning, and one of too many steps, is left as it is', () => {
  assert.equal(stepsOf(span(null), 'day', NOW), null);
  assert.equal(stepsOf(span('1970-01-01T00:00:00.000Z'), 'hour', NOW), null);
  const rows = [{ time: '2026-11-22', calls: 1 }];
  assert.equal(filled(rows, null, { calls: 0 }), rows);
  assert.deepEqual(filled([], ['2026-11-22'], { calls: 0 }), []);
});

test('what is not told of a step without calls is 0 where it adds up and unknown where it does not', () => {
  const rows = filled([{ time: '2026-11-23', calls: 2, duration_p50_ms: 7 }], ['2026-11-22', '2026-11-23'], { calls: 0 });
  assert.deepEqual(rows, [{ time: '2026-11-22', calls: 0 }, { time: '2026-11-23', calls: 2, duration_p50_ms: 7 }]);
});

test('the period before is drawn step by step where both have gaps', () => {
  const now = filled([{ time: '2026-11-23', calls: 1 }], ['2026-11-22', '2026-11-23'], { calls: 0 });
  const before = filled([{ time: '2026-11-20', calls: 7 }], ['2026-11-20', '2026-11-21'], { calls: 0 });
  assert.deepEqual(movedPoints(now, before, 'calls').map(({ x, y }) => [x.getUTCDate(), y]), [[22, 7], [23, 0]]);
});

test('groups are drawn over all steps', () => {
  const points = stackedPoints([{ time: '2026-11-23', model: 'a', calls: 1 }], 'model', 'calls', { steps: ['2026-11-22', '2026-11-23'] });
  assert.deepEqual(points.map(({ x, y }) => [x.getUTCDate(), y]), [[22, 0], [23, 1]]);
});
