import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cached, endOf, growth, isNarrowed, linkOf, listParams, nameOf, runIdOf, runPath, shareState, withTags } from '../../../src/tallybook/web/lib/run.js';
import { localDate } from '../../../src/tallybook/web/lib/range.js';

test('the address says what is listed, and what it does not know is left out', () => {
  const asked = listParams(new URLSearchParams('text=tides&status=active&tag=a&tag=b&sort=cost&starred=&page=2'), 'c');
  assert.deepEqual(asked, { limit: '50', text: ['tides'], status: ['active'], tag: ['a', 'b'], sort: 'cost', order: 'desc', cursor: 'c' });
  assert.deepEqual(listParams(new URLSearchParams('sort=nonsense')), { limit: '50', sort: 'updated_at', order: 'desc' });
  assert.equal(listParams(new URLSearchParams('sort=name')).order, 'asc');
  assert.equal(isNarrowed(new URLSearchParams('sort=cost')), false);
  assert.equal(isNarrowed(new URLSearchParams('starred=true')), true);
});

test('a run has an address, whatever its id', () => {
  for (const id of ['r-1', 'a b', 'ü?&#', '100%']) assert.equal(runIdOf(runPath(id)), id);
  assert.equal(runIdOf('/runs'), null);
  assert.equal(runIdOf('/runs/%'), '%');
});

test('a run without a name is called by its agent, else by its id', () => {
  assert.equal(nameOf({ name: null, agent_name: 'planner', run_id: 'r' }), 'planner');
  assert.equal(nameOf({ name: '', agent_name: null, run_id: 'r' }), 'r');
});

test('tags are added once', () => {
  assert.deepEqual(withTags(' b, a ,b', ['a']), ['a', 'b']);
  assert.equal(withTags(' a ,', ['a']), null);
});

const call = (id, parent, offset, input, read) => ({ id, parent_id: parent, kind: 'call', offset_ms: offset, started_at: new Date(offset).toISOString(), input_tokens: input, cache_read_tokens: read });

test('the context grows along the calls of each step, in order of start', () => {
  const nodes = [{ id: 'a', kind: 'agent', name: 'planner' }, { id: 'b', kind: 'agent', name: 'planner' }, call('c2', 'a', 20, 300, 150), call('c1', 'a', 10, 100, null), call('c3', 'b', 30, 50, 0), call('c4', null, 40, null, null)];
  const { size, share } = growth(nodes, (iso) => new Date(iso));
  assert.deepEqual(size.map((point) => [point.y, point.series]), [[100, 'planner'], [300, 'planner'], [50, 'planner 2']]);
  assert.deepEqual(share.filter((point) => point.series === 'so far').map((point) => point.y), [0.5, 150 / 350]);
  assert.deepEqual(cached(nodes), { read: 150, input: 350 });
});

test('of many steps the small ones are others', () => {
  const nodes = Array.from({ length: 9 }, (_, number) => call(`c${number}`, `p${number}`, number, 1, 0));
  assert.equal(new Set(growth(nodes, (iso) => new Date(iso)).size.map((point) => point.series)).size, 7);
});

test('charts are given local time as if it were UTC', () => {
  assert.equal(localDate('2026-07-01T10:00:00.250Z', 'Europe/Berlin').toISOString(), '2026-07-01T12:00:00.250Z');
});

test('a link is whole, ends when told, and says whether it holds', () => {
  const now = new Date('2026-11-22T10:00:00Z');
  assert.equal(linkOf('http://h:1', '/s/t'), 'http://h:1/s/t');
  assert.equal(endOf('7', now), '2026-11-29T10:00:00.000Z');
  assert.equal(endOf('', now), null);
  assert.equal(shareState({ revoked_at: null, expires_at: '2026-11-22T10:00:00Z' }, now), 'over');
  assert.equal(shareState({ revoked_at: null, expires_at: null }, now), 'in force');
  assert.equal(shareState({ revoked_at: 'x', expires_at: null }, now), 'revoked');
});
