import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Address } from '../../../src/tallybook/web/lib/address.js';

/** A window's address and history, as the module uses them. */
class View extends EventTarget {
  constructor(url) {
    super();
    this.url = new URL(url, 'http://ledger');
    this.stack = [];
    this.history = {
      pushState: (_state, _title, to) => { this.stack.push(String(this.url)); this.url = new URL(to, this.url); },
      replaceState: (_state, _title, to) => { this.url = new URL(to, this.url); },
    };
  }

  get location() {
    return this.url;
  }
}

test('what is set is in the address, once and readable, and is told', () => {
  const view = new View('/calls?range=7d');
  const address = new Address(view);
  let told = 0;
  address.addEventListener('change', () => { told += 1; });
  address.set({ 'f.model': ['gpt-4o', 'o3'], since: '2026-11-01T10:00' });
  assert.equal(view.url.search, '?range=7d&f.model=gpt-4o&f.model=o3&since=2026-11-01T10:00');
  address.set({ 'f.model': null });
  assert.equal(view.url.search, '?range=7d&since=2026-11-01T10:00');
  assert.equal(told, 2);
  address.set({ range: '7d' });
  assert.equal(view.stack.length, 3);
});

test('setting what holds already is no step in the history', () => {
  const view = new View('/calls?range=7d');
  new Address(view).set({ range: '7d' });
  assert.equal(view.stack.length, 0);
});

test('another page keeps range, zone and filters and drops what was its own', () => {
  const view = new View('/calls?range=7d&zone=UTC&f.user=ada&call=x&columns=cost');
  new Address(view).go('/runs');
  assert.equal(view.url.pathname + view.url.search, '/runs?range=7d&zone=UTC&f.user=ada');
});

test('typing replaces and does not fill the history', () => {
  const view = new View('/calls');
  new Address(view).set({ q: 'a' }, { replace: true });
  assert.equal(view.stack.length, 0);
  assert.equal(view.url.search, '?q=a');
});
