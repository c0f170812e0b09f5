import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, ask } from '../../../src/tallybook/web/lib/api.js';
import { Connection, connection } from '../../../src/tallybook/web/lib/connection.js';

globalThis.sessionStorage = { getItem: () => null, setItem: () => undefined, removeItem: () => undefined };

test('a change is told once, and what stays is not', () => {
  const one = new Connection();
  let heard = 0;
  one.addEventListener('change', () => { heard += 1; });
  for (const isOn of [true, false, false, true]) one.tell(isOn);
  assert.equal(heard, 2);
});

test('every request tells whether the server was there; one that was taken back tells nothing', async () => {
  globalThis.fetch = async () => { throw new TypeError('refused'); };
  await assert.rejects(ask('/x'), (error) => error instanceof ApiError && error.isOffline);
  assert.equal(connection.isOn, false);
  globalThis.fetch = async () => { throw new DOMException('stopped', 'AbortError'); };
  await assert.rejects(ask('/x'));
  assert.equal(connection.isOn, false);
  globalThis.fetch = async () => new Response('{"error": {"code": "x", "message": "y"}}', { status: 500 });
  await assert.rejects(ask('/x'));
  assert.equal(connection.isOn, true);
});
