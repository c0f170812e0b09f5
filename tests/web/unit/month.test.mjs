import assert from 'node:assert/strict';
import { test } from 'node:test';
import { budgetOf, monthOf, stateOf, todayIn } from '../../../src/tallybook/web/lib/month.js';
import { monthScope } from '../../../src/tallybook/web/lib/question.js';

/** A row a day from the first to the last of November with that cost in nano-USD. */
const days = (from, to, cost) => Array.from({ length: to - from + 1 }, (_, number) => ({ time: `2026-11-${String(from + number).padStart(2, '0')}`, cost_nanousd: cost }));

test('the forecast is what is spent and the pace of the last whole days for the rest', () => {
  const rows = [...days(1, 18, 1e9), ...days(19, 25, 2e9), { time: '2026-11-26', cost_nanousd: 0.5e9 }];
  const month = monthOf(rows, '2026-11-26');
  assert.equal(month.spent, 18e9 + 14e9 + 0.5e9);
  assert.equal(month.pace, 2e9);
  assert.equal(month.daysLeft, 4);
  assert.equal(month.forecast, month.spent + 1.5e9 + 4 * 2e9);
  assert.equal(month.name, 'November 2026');
});

test('days before the month count for the pace, and not as spent', () => {
  const rows = [{ time: '2026-10-30', cost_nanousd: 3e9 }, { time: '2026-10-31', cost_nanousd: 3e9 }, ...days(1, 1, 3e9)];
  const month = monthOf(rows, '2026-11-02');
  assert.deepEqual([month.spent, month.pace, month.paceDays], [3e9, 3e9, 3]);
  assert.equal(month.forecast, 3e9 + 3e9 + 28 * 3e9);
});

test('a day without a call costs nothing, a ledger of two days foretells nothing, and no price is no amount', () => {
  assert.equal(monthOf([...days(10, 10, 7e9), ...days(20, 20, 0)], '2026-11-16').pace, 7e9 / 6);
  assert.equal(monthOf(days(24, 26, 1e9), '2026-11-26').forecast, null);
  assert.deepEqual([monthOf([], '2026-11-26').spent, monthOf(days(1, 26, null), '2026-11-26').forecast], [null, null]);
});

test('a budget is an amount, and is held against spent and forecast', () => {
  assert.deepEqual([budgetOf('1,500'), budgetOf('$20'), budgetOf('x'), budgetOf('-1'), budgetOf(null), budgetOf('')], [1_500e9, 20e9, null, null, null, null]);
  const month = monthOf([...days(19, 26, 2e9)], '2026-11-26');
  assert.deepEqual([10e9, 20e9, 30e9, null].map((budget) => stateOf(month, budget)), ['over', 'tight', 'within', 'none']);
});

test('the month is asked for in the viewer\'s zone, whatever range the page shows', () => {
  const at = new Date('2026-11-30T23:30:00Z');
  assert.equal(todayIn('Asia/Tokyo', at), '2026-12-01');
  const scope = monthScope(new URLSearchParams('range=7d&until=2026-01-01&zone=Asia/Tokyo&q=model:x'), at);
  assert.deepEqual([scope.get('since'), scope.get('range'), scope.get('until'), scope.get('q')], ['2026-11-24', null, null, 'model:x']);
});
