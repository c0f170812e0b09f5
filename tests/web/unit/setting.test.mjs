import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gravest, rate, verdict, wordsOf } from '../../../src/tallybook/web/lib/setting.js';

const setting = (name, value) => ({ name, variable: '', value, is_default: false });

test('settings are told in words, and what is not set is not 0', () => {
  assert.equal(wordsOf(setting('prompts', 'none')), 'not kept');
  assert.equal(wordsOf(setting('body_retention_days', null)), 'as long as the calls');
  assert.match(wordsOf(setting('retention_days', 30)), /^30 days, then/);
  assert.equal(wordsOf(setting('project', null)), 'not set');
  assert.equal(wordsOf(setting('redact_patterns', [])), 'none');
  assert.equal(wordsOf(setting('key', true)), 'yes');
});

test('a price is told in USD for a million tokens, an unknown one as unknown', () => {
  assert.equal(rate(2_500_000), '$2.50');
  assert.equal(rate(125_000), '$0.125');
  assert.equal(rate(null), '–');
});

test('the gravest finding stands first and all are counted', () => {
  const found = [{ grade: 'good' }, { grade: 'bad' }, { grade: 'warn' }, { grade: 'warn' }];
  assert.deepEqual(gravest(found).map((one) => one.grade), ['bad', 'warn', 'warn', 'good']);
  assert.equal(verdict(found), '1 fault and 2 warnings.');
  assert.equal(verdict([{ grade: 'note' }]), 'Nothing is wrong.');
});
