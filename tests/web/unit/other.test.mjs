import assert from 'node:assert/strict';
import { test } from 'node:test';
import { basisOf, choices, differenceOf, shareOf, signed, whyNot } from '../../../src/tallybook/web/lib/other.js';

test('a difference has its sign, and an unknown one is not 0', () => {
  assert.equal(signed(1_200_000_000), '+$1.20');
  assert.equal(signed(-30_000_000), '−$0.03');
  assert.equal(signed(0), '$0.00');
  assert.equal(signed(null), '–');
});

test('what cannot be compared says why', () => {
  const row = { is_comparable: false, cost_nanousd: 5, other_cost_nanousd: 7, unpriced_calls: 2, reasons: [] };
  assert.equal(differenceOf(row), null);
  assert.equal(shareOf(row), '');
  assert.equal(whyNot(row), '2 of its calls have no price');
  assert.equal(whyNot({ ...row, cost_nanousd: null }), 'its cost is not known');
  assert.equal(whyNot({ ...row, other_cost_nanousd: null, reasons: ['usage_missing'] }), 'usage missing');
  assert.equal(whyNot({ ...row, is_comparable: true }), '');
  assert.equal(differenceOf({ ...row, is_comparable: true }), 2);
});

test('the price taken is told part by part', () => {
  const basis = { is_free: false, input_picousd: 2_000_000, cache_read_picousd: null, cache_write_picousd: 2_500_000, output_picousd: 10_000_000, reasoning_picousd: null, request_nanousd: 5_000_000 };
  assert.deepEqual(basisOf(basis), ['input $2.00', 'cache reads –', 'cache writes $2.50', 'output $10.00', '$0.005 a call']);
  assert.deepEqual(basisOf({ ...basis, is_free: true }), ['free']);
});

test('a model is offered once, those in use first, those without a price not', () => {
  const used = [{ provider: 'a', model: 'x', price: 'p' }, { provider: 'b', model: 'y', price: null, is_free: false }, { provider: 'a', model: null, price: null }];
  const known = [{ provider: 'a', model: 'x' }, { provider: 'a', model: 'z' }];
  assert.deepEqual(choices({ models: used, known }).map(({ heading, models }) => [heading, models.map((one) => one.model)]), [['in use', ['x']], ['a', ['z']]]);
});
