import assert from 'node:assert/strict';
import { test } from 'node:test';
import { movedPoints, nameOf, paired, pointsOf, scopeOf, stackedPoints } from '../../../src/tallybook/web/lib/question.js';

const NOW = new Date('2026-11-26T04:00:00Z');

test('span, zone and filters of the address are the question’s', () => {
  const scope = scopeOf(new URLSearchParams('range=7d&zone=UTC&q=model:gpt-4o -user:(a OR b)'), NOW);
  assert.deepEqual(scope, { days: '7', since: null, until: null, timezone: 'UTC', filter: ['model:eq:gpt-4o', 'user_id:not_in:a,b'] });
});

test('an unknown figure is a gap in the line and never 0', () => {
  assert.deepEqual(pointsOf([{ time: '2026-11-22', cost_nanousd: null }], 'cost_nanousd', 'cost').map((point) => point.y), [null]);
});

test('the period before is drawn where this one is', () => {
  const [point] = movedPoints([{ time: '2026-11-22', calls: 1 }], [{ time: '2026-11-15', calls: 7 }, { time: '2026-11-16', calls: 8 }], 'calls');
  assert.deepEqual([point.x.toISOString().slice(0, 10), point.y], ['2026-11-22', 7]);
});

test('all groups beyond the largest are one series, and the sums stay', () => {
  const rows = ['a', 'b', 'c', null].flatMap((model, number) => [{ time: '2026-11-22', model, calls: 10 - number }, { time: '2026-11-23', model, calls: 1 }]);
  const points = stackedPoints(rows, 'model', 'calls', { most: 2 });
  assert.deepEqual([...new Set(points.map((point) => point.series))], ['a', 'b', 'all others']);
  assert.equal(points.reduce((sum, point) => sum + point.y, 0), rows.reduce((sum, row) => sum + row.calls, 0));
  assert.equal(nameOf(null), 'not told');
});

test('groups find themselves in the period before by their name', () => {
  const answer = { rows: [{ model: 'a' }, { model: 'b' }], previous: [{ model: 'b', calls: 3 }] };
  assert.deepEqual(paired(answer, 'model').map((pair) => pair.before?.calls), [undefined, 3]);
});

test('a step in which a group has calls and none with a price is unknown, one without calls is 0', () => {
  const row = (time, model, cost_nanousd) => ({ time, model, cost_nanousd });
  const rows = [row('2026-11-22', 'a', null), row('2026-11-22', 'b', 2), row('2026-11-23', 'b', null), row('2026-11-23', 'c', 4), row('2026-11-23', 'd', null)];
  const told = Object.fromEntries(stackedPoints(rows, 'model', 'cost_nanousd', { most: 2 }).map(({ x, y, series }) => [`${series} ${x.getUTCDate()}`, y]));
  assert.deepEqual(told, { 'c 22': 0, 'c 23': 4, 'b 22': 2, 'b 23': null, 'all others 22': null, 'all others 23': null });
});
