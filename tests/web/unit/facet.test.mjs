import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COLUMNS, shownColumns, toggledColumns } from '../../../src/tallybook/web/lib/call-column.js';
import { besides, chosenOf, openOf, openText, toggled } from '../../../src/tallybook/web/lib/facet.js';
import { parse } from '../../../src/tallybook/web/lib/filter.js';

test('a facet counts under all filters but its own', () => {
  const params = new URLSearchParams('range=7d&q=model:gpt-4o -status:ok');
  assert.equal(besides(params, 'model').get('q'), '-status:ok');
  assert.equal(besides(params, 'status').get('q'), 'model:gpt-4o');
  assert.equal(besides(params, 'status').get('range'), '7d');
});

test('a click chooses, a second beside it widens, a click on the chosen takes it back', () => {
  const one = toggled('user:ada', 'model', 'gpt-4o');
  assert.equal(one, 'user:ada model:gpt-4o');
  const two = toggled(one, 'model', 'o 3');
  assert.equal(two, 'user:ada model:(gpt-4o OR "o 3")');
  assert.deepEqual([...chosenOf(parse(two).terms, 'model')], ['gpt-4o', 'o 3']);
  assert.equal(toggled(two, 'model', 'gpt-4o'), 'user:ada model:"o 3"');
  assert.equal(toggled('model:gpt-4o', 'model', 'gpt-4o'), null);
});

test('what is not told can be chosen, alone', () => {
  assert.equal(toggled('user:ada', 'user_id', null), '-has:user');
  assert.equal(toggled('-has:user', 'user_id', 'ada'), 'user:ada');
  assert.equal(toggled('-has:user', 'user_id', null), null);
});

test('what was typed of the field gives way to the choice', () => {
  assert.equal(toggled('-model:gpt-4o', 'model', 'o3'), 'model:o3');
});

test('which facets and columns are open stands in the address only where it is not as usual', () => {
  const open = openOf(new URLSearchParams());
  assert.equal(openText(open), null);
  open.add('tag');
  assert.equal(openText(open), 'status,model,project,tag');
  assert.deepEqual([...openOf(new URLSearchParams('facets=none'))], []);
  assert.equal(openText(new Set()), 'none');
  assert.equal(toggledColumns(toggledColumns(null, 'agent'), 'agent'), null);
  assert.deepEqual(shownColumns('agent,nonsense,cost').map(({ key }) => key), ['agent', 'cost']);
  assert.equal(toggledColumns('agent', 'agent'), 'none');
  assert.deepEqual(shownColumns('none'), []);
});

test('every column shows a call of which nothing is known', () => {
  for (const column of COLUMNS) {
    const shown = column.show({});
    assert.equal(typeof shown, 'string');
    assert.ok(!/undefined|NaN|null/.test(`${shown} ${column.exact?.({}) ?? ''}`), column.key);
  }
});
