import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse, print, printAll } from '../../../src/tallybook/web/lib/filter.js';

const only = (text) => {
  const { terms, mistakes } = parse(text);
  assert.deepEqual(mistakes, [], text);
  return terms;
};

test('terms say field, comparison and values in the server’s words', () => {
  assert.deepEqual(only('model:gpt-4o -status:error user:(ada OR "b c") latency:>2s cost:<0.01 metadata.region:eu has:ttft name:*ideas*'), [
    { field: 'model', op: 'eq', values: ['gpt-4o'] },
    { field: 'status', op: 'ne', values: ['error'] },
    { field: 'user_id', op: 'in', values: ['ada', 'b c'] },
    { field: 'duration_us', op: 'gte', values: ['2000001'] },
    { field: 'cost_nanousd', op: 'lt', values: ['10000000'] },
    { field: 'metadata.region', op: 'eq', values: ['eu'] },
    { field: 'ttft_us', op: 'exists', values: [] },
    { field: 'name', op: 'contains', values: ['ideas'] },
  ]);
});

test('what is printed is parsed to the same terms', () => {
  for (const text of ['model:gpt-4o', '-user:(ada OR bob)', 'latency:>=2s', 'latency:<350ms', 'cost:>=0.0005', 'tokens:>=120000', '-has:cost', 'name:"two words"', 'task:*plan*', 'id:01a2161b-d1e3-7a85-823e-92d55aaa2e0f']) {
    const terms = only(text);
    assert.deepEqual(only(printAll(terms)), terms, text);
  }
  assert.equal(print(only('latency:<350ms')[0]), 'latency:<350ms');
});

test('a mistake is told with the near word and drops nothing else', () => {
  const { terms, mistakes } = parse('modle:gpt-4o user:ada loose model:>3 latency:fast');
  assert.deepEqual(terms.map((term) => term.field), ['user_id']);
  assert.equal(mistakes.length, 4);
  assert.match(mistakes[0].message, /did you mean “model”/);
  assert.match(mistakes[1].message, /names no field/);
  assert.match(mistakes[2].message, /cannot be compared/);
  assert.match(mistakes[3].message, /wants a number/);
});

test('any text is parsed to an end', () => {
  const letters = 'ab:-()"<>= \\*.';
  for (let seed = 1; seed < 500; seed += 1) {
    let state = seed;
    const text = Array.from({ length: 24 }, () => letters[(state = (state * 48_271) % 2_147_483_647) % letters.length]).join('');
    const { terms, mistakes } = parse(text);
    assert.ok(Array.isArray(terms) && mistakes.every((one) => one.message));
  }
});
