import assert from 'node:assert/strict';
import { test } from 'node:test';
import { areSinglesOn, isPaletteKey, isSingleKey, switchSingles } from '../../../src/tallybook/web/lib/keys.js';

class Store extends Map {
  getItem(name) { return this.get(name) ?? null; }
  setItem(name, value) { this.set(name, value); }
  removeItem(name) { this.delete(name); }
}
const press = (key, more = {}, path = ['BODY']) => ({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, defaultPrevented: false, composedPath: () => path.map((tagName) => ({ tagName })), ...more });

test('a letter is a key only where nothing is typed', () => {
  assert.equal(isSingleKey(press('j'), new Store()), true);
  assert.equal(isSingleKey(press('j', {}, ['INPUT', 'BODY']), new Store()), false);
  assert.equal(isSingleKey(press('Escape', {}, ['BUTTON', 'DIALOG']), new Store()), false);
  assert.equal(isSingleKey(press('j', { ctrlKey: true }), new Store()), false);
});

test('single letters can be turned off, and Escape stays', () => {
  const store = new Store();
  switchSingles(false, store);
  assert.equal(areSinglesOn(store), false);
  assert.equal(isSingleKey(press('/'), store), false);
  assert.equal(isSingleKey(press('Escape'), store), true);
  switchSingles(true, store);
  assert.equal(isSingleKey(press('/'), store), true);
});

test('the palette opens by Ctrl K and by ⌘ K, and not with Shift', () => {
  assert.ok(isPaletteKey(press('k', { ctrlKey: true })) && isPaletteKey(press('K', { metaKey: true })));
  assert.ok(!isPaletteKey(press('k')) && !isPaletteKey(press('k', { ctrlKey: true, shiftKey: true })));
});
