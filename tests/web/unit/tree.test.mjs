import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REPEATS, bars, clockOf, figures, folded, forest, keyed, labelOf, linesOf } from '../../../src/tallybook/web/lib/tree.js';

const call = (id, parent, more = {}) => ({
  id, parent_id: parent, kind: 'call', name: 'chat', model: 'gpt-4o', status: 'ok', offset_ms: 0, duration_ms: 100, input_tokens: 10, output_tokens: 2,
  cost_nanousd: 5, calls: 1, unpriced_calls: 0, sum_input_tokens: 10, sum_output_tokens: 2, sum_cost_nanousd: 5, ...more,
});
const step = (id, parent, more = {}) => ({
  id, parent_id: parent, kind: 'tool', name: 'search', model: null, status: 'ok', offset_ms: 0, duration_ms: 10, input_tokens: null, output_tokens: null,
  cost_nanousd: null, calls: 0, unpriced_calls: 0, sum_input_tokens: 0, sum_output_tokens: 0, sum_cost_nanousd: 0, ...more,
});
const AGENT = step('a', null, { kind: 'agent', name: 'planner', calls: 2, sum_input_tokens: 20, sum_output_tokens: 4, sum_cost_nanousd: 10, duration_ms: 1000 });
const LIST = [AGENT, call('c1', 'a'), ...Array.from({ length: 14 }, (_, number) => step(`s${number}`, 'a', { offset_ms: 100 + number * 20 })), call('c2', 'a')];

test('a node whose parent is not there is a root', () => {
  const roots = forest([call('x', 'gone'), ...LIST]);
  assert.deepEqual(roots.map((root) => root.id), ['x', 'a']);
  assert.equal(roots[1].children.length, 16);
});

test('like leaves in a row are one line that says how many', () => {
  const lines = linesOf(forest(LIST), new Set());
  assert.deepEqual(lines.map(labelOf), ['agent planner', 'chat', '×14 search', 'chat']);
  assert.deepEqual(lines.map((line) => line.depth), [0, 1, 1, 1]);
  assert.deepEqual([lines[2].place, lines[2].size], [2, 3]);
});

test('few, or of another status, or with something below, are not folded', () => {
  const few = Array.from({ length: REPEATS - 1 }, (_, number) => step(`s${number}`, null));
  assert.equal(folded(forest(few)).length, REPEATS - 1);
  assert.equal(folded(forest([...few, step('e', null, { status: 'error' })])).length, REPEATS);
  assert.equal(folded(forest([...few, step('p', null), call('c', 'p')])).length, REPEATS);
});

test('a fold opens into its nodes and a node closes', () => {
  const roots = forest(LIST);
  assert.equal(linesOf(roots, new Set(['s0 ×'])).length, 4 + 14);
  assert.deepEqual(linesOf(roots, new Set(['a'])).map((line) => [line.key, line.isOpen]), [['a', false]]);
});

test('every node stands in one line, and the sums of the roots are those of the run', () => {
  const roots = forest(LIST);
  const lines = linesOf(roots, new Set());
  assert.equal(lines.reduce((sum, line) => sum + line.nodes.length, 0), LIST.length);
  assert.equal(roots.reduce((sum, root) => sum + root.sum_cost_nanousd, 0), LIST.reduce((sum, node) => sum + (node.cost_nanousd ?? 0), 0));
});

test('a sum is marked, what has no call has no tokens, what has no price is unknown and not 0', () => {
  const [agent, one, fold] = linesOf(forest(LIST), new Set());
  assert.deepEqual([figures(agent).isSum, figures(agent).cost, figures(agent).own], [true, 10, null]);
  assert.deepEqual([figures(one).isSum, figures(one).input], [false, 10]);
  assert.deepEqual([figures(fold).isSum, figures(fold).input, figures(fold).cost, figures(fold).duration_ms], [true, null, null, 140]);
  const [unpriced] = linesOf(forest([call('u', null, { cost_nanousd: null, unpriced_calls: 1, sum_cost_nanousd: null })]), new Set());
  assert.equal(figures(unpriced).cost, null);
  assert.equal(figures({ ...one, nodes: [call('n', null, { duration_ms: null, children: [] })] }).duration_ms, null);
});

test('a call with something below has figures of its own beside the sums', () => {
  const [outer] = linesOf(forest([call('o', null, { calls: 2, sum_input_tokens: 30, sum_output_tokens: 3, sum_cost_nanousd: 9 }), call('i', 'o')]), new Set());
  assert.deepEqual([figures(outer).input, figures(outer).own], [30, { input: 10, output: 2, cost: 5 }]);
});

test('the waterfall shows each of a fold, or one bar where they are too many', () => {
  const [, , fold] = linesOf(forest(LIST), new Set());
  const even = { place: (ms) => ms / 1000, idle_ms: 0 };
  assert.equal(bars(fold, even).length, 14);
  assert.deepEqual(bars(fold, even)[0], { from: 0.1, size: 0.11 - 0.1 });
  const many = Array.from({ length: 100 }, (_, number) => step(`m${number}`, null, { offset_ms: number * 10 }));
  assert.deepEqual(bars(linesOf(forest(many), new Set())[0], even), [{ from: 0, size: 1 }]);
});

test('time runs evenly where a run is at work', () => {
  const { place, idle_ms: idle } = clockOf([call('a', null), call('b', null, { offset_ms: 110 })], 210);
  assert.equal(idle, 0);
  assert.deepEqual([place(0), place(105), place(210), place(999), place(-5)], [0, 0.5, 1, 1, 0]);
});

test('long pauses are cut short where a run mostly waits, and order is kept', () => {
  const nodes = [step('outer', null, { duration_ms: 1_000_000 }), call('a', 'outer'), call('b', 'outer', { offset_ms: 500_000 }), call('c', 'outer', { offset_ms: 999_900 })];
  const { place, idle_ms: idle } = clockOf(nodes, 1_000_000);
  assert.ok(idle > 990_000);
  const moments = [0, 50, 100, 300_000, 500_000, 500_100, 999_900, 1_000_000].map(place);
  assert.deepEqual(moments, [...moments].sort((one, other) => one - other));
  assert.deepEqual([moments[0], moments.at(-1)], [0, 1]);
  assert.ok(place(100) - place(0) > 0.3, 'each call has about a third of the axis');
});

test('a run in which nothing took time has an axis all the same', () => {
  assert.equal(clockOf([], null).place(5), 0);
  assert.equal(clockOf([call('a', null, { duration_ms: null })], 0).place(0), 0);
});

test('arrows go through the tree, open and close', () => {
  const lines = linesOf(forest(LIST), new Set());
  assert.deepEqual(keyed(lines, 'a', 'ArrowDown'), { to: 'c1' });
  assert.equal(keyed(lines, 'a', 'ArrowUp'), null);
  assert.deepEqual(keyed(lines, 'a', 'End'), { to: 'c2' });
  assert.deepEqual(keyed(lines, 'c2', 'Home'), { to: 'a' });
  assert.deepEqual(keyed(lines, 'a', 'ArrowRight'), { to: 'c1' });
  assert.deepEqual(keyed(lines, 's0 ×', 'ArrowRight'), { turn: 's0 ×' });
  assert.deepEqual(keyed(lines, 's0 ×', 'ArrowLeft'), { to: 'a' });
  assert.deepEqual(keyed(lines, 'a', 'ArrowLeft'), { turn: 'a' });
  assert.equal(keyed(lines, 'c1', 'ArrowRight'), null);
  assert.equal(keyed(lines, 'c1', 'x'), null);
});

test('a tree deeper than the stack is drawn', () => {
  const list = Array.from({ length: 20_000 }, (_, number) => step(`d${number}`, number ? `d${number - 1}` : null));
  assert.equal(linesOf(forest(list), new Set()).length, 20_000);
});
