import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import test from 'node:test';
import { configure, detectProvider, extractToolCalls, flush, stats, trackAIOperation, trackOperation, uuid7 } from '../../../src/tallybook/web/client.js';

/** A server that answers as it is told and keeps what came. */
async function receiver(answer = () => [201, { accepted: 1, refused: 0, results: [] }]) {
  const got = [];
  const server = createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      got.push({ headers: request.headers, logs: JSON.parse(Buffer.concat(parts).toString()) });
      const [status, body, headers = {}] = answer(got.length);
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(body));
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  configure({ url: `http://127.0.0.1:${server.address().port}/`, enabled: true, key: null, project: null, defaults: {}, onProblem: null, toolData: true });
  return { got, logs: () => got.flatMap((one) => one.logs), close: () => new Promise((done) => { server.closeAllConnections(); server.close(done); }) };
}

async function logOf(result, details) {
  const server = await receiver();
  assert.equal(await trackOperation('work', null, () => result, details), result);
  await flush();
  await server.close();
  const [log] = server.logs();
  return log;
}

test('what the function gives is what the caller gets, whatever it is', async () => {
  const server = await receiver();
  for (const value of [undefined, null, 0, '', 'text', Symbol.iterator, Object.freeze({ a: 1 }), [1], () => 1]) {
    assert.equal(trackOperation('work', null, () => value), value);
    assert.equal(await trackAIOperation('work', null, async () => value), value);
  }
  await flush();
  assert.equal(server.logs().length, 18);
  await server.close();
});

test('what the function throws is what the caller catches, and is recorded as an error', async () => {
  const server = await receiver();
  const error = new TypeError('no such model');
  assert.throws(() => trackOperation('work', 'shop', () => { throw error; }), (caught) => caught === error);
  await assert.rejects(trackOperation('work', 'shop', () => Promise.reject(error)), (caught) => caught === error);
  await assert.rejects(trackAIOperation('work', 'shop', async () => { throw error; }), (caught) => caught === error);
  await assert.rejects(trackOperation('work', null, () => Promise.reject(undefined)), (caught) => caught === undefined);
  await flush();
  const logs = server.logs();
  assert.deepEqual(logs.slice(0, 3).map((log) => [log.status, log.error, log.metadata.error_type, log.project_id]), Array(3).fill(['error', 'no such model', 'TypeError', 'shop']));
  await server.close();
});

test('a failure that nobody handles is still reported as one', async () => {
  const program = `import { trackOperation } from ${JSON.stringify(new URL('../../../src/tallybook/web/client.js', import.meta.url).href)};
    process.on('unhandledRejection', (error) => { console.log('told', error.message); process.exit(3); });
    trackOperation('work', null, () => Promise.reject(new Error('unhandled')));`;
  const ran = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  assert.deepEqual([ran.status, ran.stdout.trim()], [3, 'told unhandled']);
});

test('the function runs once, on or off', async () => {
  const server = await receiver();
  let runs = 0;
  await trackOperation('work', null, async () => { runs += 1; });
  configure({ enabled: false });
  const before = stats().recorded;
  await trackOperation('work', null, async () => { runs += 1; });
  assert.equal(runs, 2);
  assert.equal(stats().recorded, before);
  configure({ enabled: true });
  await flush();
  await server.close();
});

test('a batch that the server did not take is sent again with the same ids', async () => {
  const server = await receiver((count) => (count < 3 ? [503, { error: { message: 'later' } }] : [201, { accepted: 2, refused: 0 }]));
  const before = stats();
  trackOperation('one', null, () => 1);
  trackOperation('two', null, () => 2);
  await flush();
  await flush();
  assert.equal(stats().queued, 2);
  await flush();
  const ids = server.got.map((one) => one.logs.map((log) => log.id));
  assert.equal(ids.length, 3);
  assert.deepEqual(ids[2], ids[0]);
  assert.equal(stats().sent - before.sent, 2);
  assert.equal(stats().queued, 0);
  assert.ok(stats().failures - before.failures === 2);
  await server.close();
});

test('a server that is not there costs the application nothing but memory that is bounded', async () => {
  configure({ url: 'http://127.0.0.1:1', enabled: true });
  const before = stats();
  for (let count = 0; count < 1_500; count += 1) assert.equal(trackOperation('work', null, () => count), count);
  await flush();
  assert.ok(stats().queued <= 1_000);
  assert.equal(stats().dropped - before.dropped, 500);
  const server = await receiver();
  await flush();
  assert.equal(stats().queued, 0);
  assert.equal(server.logs().length, 1_000);
  await server.close();
});

test('what the server refuses is counted, told to who asked, and not sent again', async () => {
  const server = await receiver(() => [400, { error: { message: 'there is no project' } }]);
  const told = [];
  configure({ onProblem: (error) => told.push(error.message) });
  const before = stats().refused;
  trackOperation('work', 'nowhere', () => 1);
  await flush();
  assert.equal(stats().refused - before, 1);
  assert.equal(stats().queued, 0);
  assert.match(told[0], /there is no project/);
  configure({ onProblem: null });
  await server.close();
});

test('a circle in a tool result costs the tools of that record and nothing else', async () => {
  const circle = { toolCalls: [{ toolName: 'look', input: {} }], usage: { inputTokens: 3, outputTokens: 4 } };
  circle.toolCalls[0].input.self = circle;
  const log = await logOf(circle, { model: 'gpt-4o' });
  assert.deepEqual([log.input_tokens, log.tool_calls_json[0].name], [3, 'look']);
});

test('the key goes as a bearer token', async () => {
  const server = await receiver();
  configure({ key: 'tb_i_x_y' });
  trackOperation('work', null, () => 1);
  await flush();
  assert.equal(server.got[0].headers.authorization, 'Bearer tb_i_x_y');
  configure({ key: null });
  await server.close();
});

test('usage of the Vercel AI SDK from version 3 to 7', async () => {
  const meta = { anthropic: { cacheCreationInputTokens: 20, cacheReadInputTokens: 100 } };
  const shapes = [
    [{ usage: { promptTokens: 7, completionTokens: 5, totalTokens: 12 }, response: { modelId: 'gpt-4o' } }, [7, 5, undefined]],
    [{ usage: { promptTokens: NaN, completionTokens: NaN } }, [undefined, undefined, undefined]],
    [{ usage: { promptTokens: 7, completionTokens: 5 }, providerMetadata: meta }, [127, 5, 100]],
    [{ usage: { promptTokens: 9, completionTokens: 5 }, experimental_providerMetadata: { openai: { cachedPromptTokens: 4 } } }, [9, 5, 4]],
    [{ usage: { inputTokens: 9, outputTokens: 5, totalTokens: 14, cachedInputTokens: 4 } }, [9, 5, 4]],
    [{ usage: { inputTokens: 127, outputTokens: 5, inputTokenDetails: { cacheReadTokens: 100, cacheWriteTokens: 20 }, outputTokenDetails: {} }, providerMetadata: meta }, [127, 5, 100]],
    [{ usage: { tokens: 11 } }, [11, undefined, undefined]],
  ];
  for (const [result, [input, output, cached]] of shapes) {
    const log = await logOf(result, { model: 'm' });
    assert.deepEqual([log.input_tokens, log.output_tokens, log.cache_read_tokens], [input, output, cached]);
  }
});

test('an older stream whose usage is a promise is heard through its own stream, and read no sooner', async () => {
  const server = await receiver();
  let pulls = 0;
  const parts = [{ type: 'text-delta', textDelta: 'a' }, { type: 'finish', finishReason: 'stop', usage: { promptTokens: 4, completionTokens: 2 } }];
  const result = {
    usage: Promise.resolve({ promptTokens: 4, completionTokens: 2 }),
    originalStream: new ReadableStream({ pull(controller) { pulls += 1; if (parts.length) controller.enqueue(parts.shift()); else controller.close(); } }, { highWaterMark: 0 }),
  };
  assert.equal(trackOperation('work', null, () => result, { model: 'gpt-4o' }), result);
  await new Promise((done) => setTimeout(done, 10));
  assert.equal(pulls, 0);
  const seen = [];
  for await (const part of result.originalStream) seen.push(part.type);
  assert.deepEqual(seen, ['text-delta', 'finish']);
  await flush();
  const [log] = server.logs();
  assert.deepEqual([log.input_tokens, log.output_tokens, log.finish_reason, log.is_stream], [4, 2, 'stop', true]);
  assert.ok(log.ttft_ms >= 0 && log.duration_ms >= log.ttft_ms);
  await server.close();
});

test('tool calls of every shape have the one structure', () => {
  const args = { query: 'frameworks' };
  const shapes = [
    { experimental_toolCalls: [{ toolName: 'search', args, result: 1 }] },
    { toolCalls: [{ tool: 'search', input: args, output: 1 }] },
    { toolCalls: [{ toolName: 'search', input: args, toolCallId: 'x' }], toolResults: [{ toolCallId: 'x', toolName: 'search', output: 1 }] },
    { steps: [{ toolCalls: [{ toolName: 'search', args, toolCallId: 'x' }], toolResults: [{ toolCallId: 'x', result: 1 }] }, { toolCalls: [] }] },
    { content: [{ type: 'server_tool_use', name: 'search', id: 'x', input: args }, { type: 'web_search_tool_result', tool_use_id: 'x', content: 1 }] },
  ];
  for (const shape of shapes) {
    const [call, ...more] = extractToolCalls(shape);
    assert.deepEqual([call.name, call.arguments, call.result, more], ['search', args, 1, []]);
  }
  const without = [
    { choices: [{ message: { tool_calls: [{ id: 'x', function: { name: 'search', arguments: JSON.stringify(args) } }] } }] },
    { choices: [{ message: { function_call: { name: 'search', arguments: JSON.stringify(args) } } }] },
    { output: [{ type: 'function_call', call_id: 'x', name: 'search', arguments: JSON.stringify(args) }, { type: 'message' }] },
    { content: [{ type: 'text', text: 'hm' }, { type: 'tool_use', id: 'x', name: 'search', input: args }] },
    { candidates: [{ content: { parts: [{ functionCall: { name: 'search', args } }] } }] },
  ];
  for (const shape of without) assert.deepEqual(extractToolCalls(shape).map((one) => [one.name, one.arguments]), [['search', args]]);
  assert.equal(extractToolCalls({ toolCalls: [{ toolName: 'a', input: {}, toolCallId: 'x' }], content: [{ type: 'tool-error', toolCallId: 'x', error: new Error('down') }] })[0].error, 'down');
  assert.deepEqual([extractToolCalls(null), extractToolCalls('x'), extractToolCalls({ choices: null, content: 'text' })], [[], [], []]);
});

test('a provider is known by the name of its model', () => {
  const told = { 'gpt-4o': 'openai', 'o3-mini': 'openai', 'claude-3-opus': 'anthropic', 'gemini-2.5-pro': 'google', 'llama-3.1-70b': 'meta', 'grok-4': 'xai', 'mistral-large': 'mistral', 'my-own': 'unknown' };
  for (const [model, provider] of Object.entries(told)) assert.equal(detectProvider(model), provider);
  assert.equal(detectProvider(undefined), 'unknown');
});

test('an id holds its moment', () => {
  const at = Date.UTC(2026, 10, 26, 4, 0, 0, 123);
  const id = uuid7(at);
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(parseInt(id.replace('-', '').slice(0, 12), 16), at);
  assert.notEqual(uuid7(at), id);
});
