import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fit, isId, offersFor, pagesFor } from '../../../src/tallybook/web/lib/palette.js';

const PAGES = [{ path: '/', label: 'Overview' }, { path: '/models', label: 'Models' }, { path: '/tools', label: 'Tools' }];
const signal = new AbortController().signal;

test('pages are found by their beginning first, and by letters in their order', () => {
  assert.deepEqual(pagesFor('o', PAGES).map((one) => one.label), ['Overview', 'Models', 'Tools']);
  assert.deepEqual(pagesFor('ovw', PAGES).map((one) => one.label), ['Overview']);
  assert.equal(fit('xyz', 'Overview'), null);
  assert.equal(pagesFor('', PAGES).length, 3);
});

test('an id is eight digits of hex or more', () => {
  assert.ok(isId('01a21373-f0df') && isId(' 01a21373 '));
  assert.ok(!isId('01a2137') && !isId('gpt-4o') && !isId('ada lovelace'));
});

test('groups lead to their overview and a call to its place, whatever characters they have', async () => {
  const asked = [];
  const offers = await offersFor('01a21373', signal, async (path, { params } = {}) => {
    asked.push([path, params?.filter]);
    return path.startsWith('/api/v1/calls/') ? { call: { call_id: '01a21373-f0df', operation: 'chat', name: null } } : { rows: params.dimensions === 'user_id' ? [{ user_id: 'ada (x)' }] : [] };
  });
  assert.deepEqual(offers.map(({ kind, path, changes }) => [kind, path, changes]), [['Call', '/calls', { call: '01a21373-f0df' }], ['User', '/', { q: 'user:"ada (x)"' }]]);
  assert.ok(asked.some(([, filter]) => filter?.includes('model:contains:01a21373')));
});

test('a call that is not there is no offer, and any other failure is told', async () => {
  const failing = (status) => async (path) => { if (path.startsWith('/api/v1/calls/')) throw Object.assign(new Error('no'), { status }); return { rows: [] }; };
  assert.deepEqual(await offersFor('01a21373', signal, failing(404)), []);
  await assert.rejects(offersFor('01a21373', signal, failing(500)));
});
