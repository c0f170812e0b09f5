import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arc, slices } from '../../../src/tallybook/web/lib/share.js';

test('slices close the ring and lose nothing', () => {
  const parts = Array.from({ length: 12 }, (_, number) => ({ name: `tool ${number}`, value: number }));
  const found = slices(parts, 5);
  assert.equal(found.length, 6);
  assert.equal(found.at(-1)?.name, '6 others');
  assert.equal(found.reduce((sum, slice) => sum + slice.value, 0), 66);
  assert.equal(found.at(-1)?.to, 1);
  found.slice(1).forEach((slice, number) => assert.equal(slice.from, found[number].to));
});

test('one that would stand alone behind the others keeps its name', () => {
  assert.deepEqual(slices([{ name: 'a', value: 1 }, { name: 'b', value: 2 }, { name: 'c', value: 0 }], 1).map((one) => one.name), ['b', 'a']);
  assert.deepEqual(slices([]), []);
});

test('a part that is the whole is still drawn', () => {
  assert.match(arc({ from: 0, to: 1 }, 1, 0.5), /^M0 -1A1 1 0 1 1 (-0|0) -1L/);
  assert.match(arc({ from: 0, to: 0.25 }, 1, 0.5), /^M0 -1A1 1 0 0 1 1 0L0\.5 0A/);
});
