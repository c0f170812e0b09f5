import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineRows, timeText, timesOf } from '../../../src/tallybook/web/lib/series.js';

const at = (text) => new Date(`${text}Z`);
const point = (text, y, series) => ({ x: at(text), y, series });

test('a time is told as exactly as it is one', () => {
  assert.equal(timeText(at('2026-11-22T00:00:00')), '2026-11-22');
  assert.equal(timeText(at('2026-11-22T00:00:00'), false), '2026-11-22 00:00');
  assert.equal(timeText(at('2026-11-22T14:00:00')), '2026-11-22 14:00');
  assert.equal(timeText(at('2026-11-22T14:03:11')), '2026-11-22 14:03:11');
});

test('a file has a line for each point, and those of the period before', () => {
  const points = [point('2026-11-22T00:00:00', 5, 'cost'), point('2026-11-22T01:00:00', null, 'cost')];
  assert.deepEqual(lineRows(points, [point('2026-11-22T00:00:00', 4, 'before')], 'cost_nanousd'), [
    { time: '2026-11-22 00:00', series: 'cost', cost_nanousd: 5 },
    { time: '2026-11-22 01:00', series: 'cost', cost_nanousd: null },
    { time: '2026-11-22 00:00', series: 'period before', cost_nanousd: 4 },
  ]);
});

test('a table has a row for each time, in which a series may be missing', () => {
  const points = [point('2026-11-22T00:00:00', 5, 'a'), point('2026-11-23T00:00:00', 6, 'b')];
  const { names, rows, isByDay } = timesOf(points, [point('2026-11-23T00:00:00', 1, 'x')]);
  assert.deepEqual(names, ['a', 'b', 'period before']);
  assert.deepEqual(rows.map(([time, row]) => [new Date(time).getUTCDate(), row.get('a'), row.get('b'), row.get('period before')]), [[22, 5, undefined, undefined], [23, undefined, 6, 1]]);
  assert.ok(isByDay);
});
