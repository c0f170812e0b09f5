import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import test from 'node:test';
import { chatStream, eventParser } from '../../../src/tallybook/web/chat.js';
import { useChatStream } from '../../../src/tallybook/web/react.js';

const EVENTS = [
  { type: 'status', data: { status: 'starting', message: 'Initializing...' } },
  { type: 'tree_update', data: { nodes: 1 } },
  { type: 'content', data: { content: 'Based on' } },
  { type: 'content', data: { content: ' the reviews – ✓' } },
  { type: 'complete', data: { message: 'Based on the reviews – ✓', metadata: { execution_tree: { nodes: 2 } } } },
];

/** A chat server that writes what it is told, in pieces of a few bytes. */
async function server(write) {
  const got = [];
  const one = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => { body += part; });
    request.on('end', () => { got.push({ body: JSON.parse(body), headers: request.headers }); write(response, got.length, request); });
  });
  await new Promise((done) => one.listen(0, '127.0.0.1', done));
  return { got, url: `http://127.0.0.1:${one.address().port}/api/v1/chat/stream`, close: () => { one.closeAllConnections(); one.close(); } };
}

async function pieces(response, events, size = 7) {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const bytes = Buffer.from(events.map((event) => `data: ${JSON.stringify(event)}\r\n\r\n`).join(''));
  for (let at = 0; at < bytes.length; at += size) {
    response.write(bytes.subarray(at, at + size));
    await new Promise((done) => setImmediate(done));
  }
}

function listener(url, more = {}) {
  const told = [];
  const note = (name) => (...args) => told.push([name, ...args]);
  const chat = chatStream({ url, onStatusUpdate: note('status'), onContentChunk: note('chunk'), onTreeUpdate: note('tree'), onComplete: note('complete'), onError: note('error'), ...more });
  return { told, chat };
}

test('a message is answered by status, tree, content and the whole, in their order', async () => {
  const one = await server((response) => pieces(response, EVENTS).then(() => response.end()));
  const { told, chat } = listener(one.url, { headers: { authorization: 'Bearer x' } });
  const response = await chat.sendMessage('what are the gaps?', { session_id: 's-1' });
  assert.deepEqual(one.got[0].body, { message: 'what are the gaps?', session_id: 's-1' });
  assert.equal(one.got[0].headers.authorization, 'Bearer x');
  assert.deepEqual(told.map(([name]) => name), ['status', 'tree', 'chunk', 'chunk', 'complete']);
  assert.deepEqual(told[0].slice(1), ['starting', 'Initializing...']);
  assert.equal(chat.state.content, 'Based on the reviews – ✓');
  assert.deepEqual(chat.state.tree, { nodes: 2 });
  assert.equal(response.message, chat.state.content);
  assert.equal(chat.state.isStreaming, false);
  one.close();
});

test('a stopped stream keeps what came and tells neither end nor error', async () => {
  const one = await server((response) => pieces(response, EVENTS.slice(0, 3)));
  const stopped = listener(one.url, { onContentChunk: () => stopped.chat.stop() });
  assert.equal(await stopped.chat.sendMessage('hello'), null);
  assert.equal(stopped.chat.state.content, 'Based on');
  assert.equal(stopped.chat.state.isStreaming, false);
  assert.deepEqual(stopped.told.map(([name]) => name), ['status', 'tree']);
  one.close();
});

test('a second message takes the place of the first', async () => {
  const one = await server((response, count) => (count === 1 ? pieces(response, EVENTS.slice(0, 1)) : pieces(response, EVENTS).then(() => response.end())));
  const { told, chat } = listener(one.url);
  const first = chat.sendMessage('one');
  await new Promise((done) => setTimeout(done, 50));
  const second = await chat.sendMessage('two');
  assert.equal(await first, null);
  assert.ok(second);
  assert.equal(told.filter(([name]) => name === 'complete').length, 1);
  one.close();
});

test('every way to fail is told once, in words', async () => {
  const ways = [
    [(response) => { response.writeHead(403, { 'content-type': 'application/json' }); response.end('{"error": {"code": "forbidden", "message": "not yours"}}'); }, /not yours/],
    [(response) => { response.writeHead(500); response.end('oops'); }, /answered 500/],
    [(response) => pieces(response, [{ type: 'error', data: { message: 'budget spent' } }]), /budget spent/],
    [(response) => pieces(response, EVENTS.slice(0, 3)).then(() => response.end()), /ended before/],
    [(response) => { response.writeHead(200); response.end('data: {no json\n\n'); }, /JSON/],
    [(response) => response.destroy(), /fetch failed/],
  ];
  for (const [write, words] of ways) {
    const one = await server(write);
    const { told, chat } = listener(one.url);
    assert.equal(await chat.sendMessage('hello'), null);
    const errors = told.filter(([name]) => name === 'error');
    assert.equal(errors.length, 1);
    assert.match(errors[0][1].message, words);
    assert.equal(chat.state.isStreaming, false);
    one.close();
  }
});

test('events are read whole wherever their bytes are cut', () => {
  const text = '\uFEFF: a comment\nevent: tree\ndata: {"a":1}\n\r\ndata: one\rdata: two\r\n\r\ndata\n\nid: 7\n\n';
  for (let size = 1; size < text.length; size += 1) {
    const parse = eventParser();
    const found = [];
    for (let at = 0; at < text.length; at += size) found.push(...parse(text.slice(at, at + size)));
    assert.deepEqual(found, [{ event: 'tree', data: '{"a":1}' }, { event: 'message', data: 'one\ntwo' }, { event: 'message', data: '' }]);
  }
});

test('the hook renders what the stream tells and stops it when its component goes', async () => {
  const one = await server((response) => pieces(response, EVENTS).then(() => response.end()));
  const slots = [];
  const cleanups = [];
  let place = 0;
  const React = { // The rules of hooks, without a document: slots by order, effects once.
    useState: (first) => { const at = place++; slots[at] ??= { value: first() }; return [slots[at].value, (value) => { slots[at].value = value; }]; },
    useRef: (first) => (slots[place] ??= { current: first }, slots[place++]),
    useCallback: (fn) => (slots[place] ??= { fn }, slots[place++].fn),
    useEffect: (run) => { const at = place++; if (!slots[at]) { slots[at] = {}; cleanups.push(run()); } },
  };
  const render = (options) => { place = 0; return useChatStream(React, options); };
  const done = [];
  const first = render({ url: one.url, onComplete: () => done.push('old') });
  const again = render({ url: one.url, onComplete: () => done.push('new') });
  assert.equal(first.sendMessage, again.sendMessage);
  await again.sendMessage('hello');
  const last = render({ url: one.url });
  assert.deepEqual([last.isStreaming, last.currentContent, last.currentTree, done], [false, 'Based on the reviews – ✓', { nodes: 2 }, ['new']]);
  for (const clean of cleanups) clean();
  one.close();
});
