import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { coursePoints, embedTokens } from '../../../src/tallybook/web/lib/embedded.js';

test('every token can be set by the page, and its colour scheme stays its own', () => {
  const css = embedTokens(readFileSync(new URL('../../../src/tallybook/web/style/token.css', import.meta.url), 'utf8'));
  assert.match(css, /--tb-accent: var\(--tb-embed-accent, light-dark\(#1f5f5b, #6fc7bf\)\);/);
  assert.match(css, /--tb-text-soft: var\(--tb-embed-soft, /);
  assert.ok(!css.includes(':root'));
  assert.ok(!/(?<![\w-])color-scheme:/.test(css));
});

test('an answer becomes a series a group, the dearest by name', () => {
  const points = coursePoints({ series: [
    { by: { model: 'a' }, points: [{ time: '2026-11-25', cost: 5e-9 }, { time: '2026-11-26', cost: null }] },
    { by: { model: null }, points: [{ time: '2026-11-25', cost: 9e-9 }] },
  ] });
  assert.deepEqual(points.map(({ series, y }) => [series, y]), [['not told', 9], ['not told', 0], ['a', 5], ['a', null]]);
  assert.deepEqual(coursePoints({ series: [{ by: {}, points: [{ time: '2026-11-25', cost: 5e-9 }] }] }).map(({ series }) => series), ['cost']);
});
