import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attachmentOf, conversation, costOf, sumOf, textsOf } from '../../../src/tallybook/web/lib/conversation.js';

const at = (minute) => `2026-11-22T10:${String(minute).padStart(2, '0')}:00.000Z`;
const node = (id, minute, more = {}) => ({ id, kind: 'call', started_at: at(minute), input_tokens: 100, output_tokens: 10, cost_nanousd: 1000, ...more });
const message = (id, role, minute, task = null) => ({ message_id: id, role, created_at: at(minute), task_id: task });
const task = (id, call, minute) => ({ task_id: id, call_id: call, started_at: at(minute), created_at: at(minute) });

test('a task names its call, its answer has the figures, and the last cumulative figure is the run’s', () => {
  const nodes = [node('c1', 1), node('c2', 4)];
  const found = conversation([message('m1', 'user', 0, 't1'), message('m2', 'assistant', 2, 't1'), message('m3', 'user', 3), message('m4', 'assistant', 5, 't2')], [task('t1', 'c1', 1), task('t2', 'c2', 4)], nodes);
  assert.deepEqual(found.map((entry) => entry.own.cost), [0, 1000, 0, 1000]);
  assert.deepEqual(found.map((entry) => entry.total.cost), [0, 1000, 1000, 2000]);
  assert.deepEqual(found.at(-1).total, sumOf(nodes));
});

test('calls that no task names belong to the answer that came next, those behind the last one stand apart', () => {
  const found = conversation([message('m1', 'user', 0), message('m2', 'assistant', 3)], [], [node('c1', 1), node('c2', 2), node('c3', 9), { ...node('s', 1), kind: 'tool' }]);
  assert.deepEqual(found.map((entry) => [entry.kind, entry.own.calls]), [['message', 0], ['message', 2], ['rest', 1]]);
  assert.equal(found.at(-1).total.calls, 3);
});

test('what comes after the last message is not told while there are more messages', () => {
  assert.equal(conversation([message('m1', 'user', 0)], [], [node('c', 5)], false).length, 1);
});

test('a task without a message of its own stands where it happened', () => {
  const found = conversation([message('m1', 'user', 0), message('m2', 'assistant', 5)], [task('failed', 'c1', 2)], [node('c1', 2, { cost_nanousd: null, input_tokens: null, output_tokens: null })]);
  assert.deepEqual(found.map((entry) => entry.kind), ['message', 'task', 'message']);
  assert.deepEqual([found[1].own.unpriced, costOf(found[1].own), found[1].own.input], [1, null, null]);
});

test('each call counts once, even where two messages are of one task', () => {
  const found = conversation([message('m1', 'assistant', 1, 't'), message('m2', 'assistant', 2, 't')], [task('t', 'c', 1)], [node('c', 1)]);
  assert.deepEqual(found.map((entry) => entry.own.calls), [0, 1]);
});

test('content is text or parts, and what is not known is shown as it is', () => {
  assert.deepEqual(textsOf('Hello'), ['Hello']);
  assert.deepEqual(textsOf([{ type: 'text', text: 'a' }, { type: 'image_url', image_url: { url: 'x' } }, { type: 'other', x: 1 }]), ['a', '[image]', '{\n  "type": "other",\n  "x": 1\n}']);
  assert.deepEqual(textsOf(null), []);
});

test('only addresses of the web are links', () => {
  assert.equal(attachmentOf({ kind: 'url', url: 'javascript:alert(1)' }).href, null);
  assert.deepEqual(attachmentOf({ kind: 'youtube', url: 'https://youtu.be/x', video_id: 'x' }), { label: 'YouTube · x', href: 'https://youtu.be/x' });
  assert.deepEqual(attachmentOf({ kind: 'file', file_id: 'f-1', mime_type: 'text/plain' }), { label: 'file · f-1 · text/plain', href: null });
});
