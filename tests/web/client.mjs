// What an application does with the client, against the server at TALLYBOOK_URL; prints the ids and what became of them.
import { configure, flush, stats, trackAIOperation, trackOperation } from '../../src/tallybook/web/client.js';

const told = [];
configure({ project: 'shop', defaults: { user_id: 'ada', environment: 'test' }, onProblem: (error) => told.push(error.message) });
const usage = { inputTokens: 1200, outputTokens: 300, totalTokens: 1500, inputTokenDetails: { cacheReadTokens: 200 }, outputTokenDetails: {} };
const steps = [{
  usage, response: { id: 'resp-1', modelId: 'gpt-4o-2024-08-06' }, model: { provider: 'openai.responses', modelId: 'gpt-4o' }, finishReason: 'stop',
  toolCalls: [{ toolCallId: 'a', toolName: 'search', input: { query: 'latest web frameworks 2024' } }, { toolCallId: 'b', toolName: 'calculate', input: { expression: '1024 * 1024' } }],
  toolResults: [{ toolCallId: 'a', output: { results: ['Next.js 14'] } }, { toolCallId: 'b', output: { value: 1048576 } }],
  performance: { toolExecutionMs: { a: 150, b: 5 } },
}];
await trackAIOperation('generate_project_ideas', 'shop', async () => ({ steps, usage, totalUsage: usage }));
await trackOperation('fail', null, async () => { throw new Error('overloaded'); }, { model: 'claude-sonnet-4-5', chat_id: 'chat-1', tags: ['a'] }).catch(() => {});
trackOperation('lost', 'nowhere', () => ({ usage }), { model: 'gpt-4o' });

// The answer to the first sending is lost on its way: the batch goes again, with the same ids.
const real = globalThis.fetch;
globalThis.fetch = async (...args) => {
  await (await real(...args)).arrayBuffer();
  globalThis.fetch = real;
  throw new TypeError('the connection broke');
};
await flush();
await flush();
console.log(JSON.stringify({ told, stats: stats() }));
trackOperation('at the end', null, () => 1, { model: 'gpt-4o' }); // Sent when Node has nothing else to do.
