// The providers' own SDKs and the Vercel AI SDK as an application uses them, each call in trackOperation.
//   node client.mjs CASE, with TALLYBOOK_URL, OPENAI_BASE_URL and REPLAY_URL; prints what the caller saw.
import assert from "node:assert/strict";
import { Anthropic } from "@anthropic-ai/sdk";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { GoogleGenAI } from "@google/genai";
import * as ai from "ai";
import OpenAI from "openai";
import { z } from "zod";
import { flush, stats, trackOperation } from "../../../src/tallybook/web/client.js";

const base = process.env.REPLAY_URL;
const openai = new OpenAI({ baseURL: `${base}/v1`, apiKey: "sk-test", maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: base, apiKey: "sk-test", maxRetries: 0 });
const google = new GoogleGenAI({ apiKey: "test", httpOptions: { baseUrl: base } });
const vercel = createOpenAI({ baseURL: `${base}/v1`, apiKey: "sk-test" });
const claude = createAnthropic({ baseURL: `${base}/v1`, apiKey: "sk-test" });
const messages = [{ role: "user", content: "hello" }];
const weather = { type: "function", function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } } };
const track = (fn, details) => trackOperation("poem", null, fn, details);
const all = async (stream) => {
  const seen = [];
  for await (const chunk of stream) seen.push(chunk);
  return seen;
};

const cases = {
  async "openai-chat"() {
    const made = [];
    const promise = track(() => (made.push(openai.chat.completions.create({ model: "gpt-4o", messages })), made[0]));
    assert.equal(promise, made[0]); // The SDK's own promise, with all it can do.
    const { data, response } = await promise.withResponse();
    assert.equal(response.status, 200);
    assert.equal(data, await promise);
    return data.usage;
  },
  async "openai-raw"() {
    const response = await track(() => openai.chat.completions.create({ model: "gpt-4o", messages })).asResponse();
    return (await response.json()).usage; // Nobody read the body before the caller; so nothing is recorded.
  },
  async "openai-stream"() {
    const stream = await track(() => openai.chat.completions.create({ model: "gpt-4o", messages, stream: true, stream_options: { include_usage: true } }));
    const seen = await all(stream);
    assert.ok(stream.controller instanceof AbortController);
    return seen.at(-1).usage;
  },
  async "openai-tools"() {
    const stream = await track(() => openai.chat.completions.create({ model: "gpt-4o", messages, tools: [weather], stream: true, stream_options: { include_usage: true } }));
    return (await all(stream)).at(-1).usage;
  },
  async "openai-runner"() {
    const runner = track(() => openai.chat.completions.stream({ model: "gpt-4o", messages, stream_options: { include_usage: true } }));
    return (await runner.finalChatCompletion()).usage;
  },
  async "openai-responses"() {
    return (await track(() => openai.responses.create({ model: "gpt-4o", input: "hello" }))).usage;
  },
  async "openai-responses-stream"() {
    const stream = await track(() => openai.responses.create({ model: "gpt-4o", input: "hello", stream: true }));
    return (await all(stream)).at(-1).response.usage;
  },
  async "openai-embeddings"() {
    return (await track(() => openai.embeddings.create({ model: "text-embedding-3-small", input: "hello" }))).usage;
  },
  async "openai-error"() {
    const error = await track(() => openai.chat.completions.create({ model: "gpt-4o+status=429", messages }), { model: "gpt-4o" }).catch((one) => one);
    assert.ok(error instanceof OpenAI.RateLimitError);
    return { status: error.status };
  },
  async "openai-broken"() {
    const stream = await track(() => openai.chat.completions.create({ model: "gpt-4o+error_after=2", messages, stream: true }), { model: "gpt-4o" });
    const error = await all(stream).catch((one) => one);
    assert.ok(error instanceof OpenAI.APIError);
    return {};
  },
  async "openai-left"() {
    const stream = await track(() => openai.chat.completions.create({ model: "gpt-4o", messages, stream: true }));
    for await (const _ of stream) break;
    return {};
  },
  async "anthropic-message"() {
    return (await track(() => anthropic.messages.create({ model: "claude-sonnet-4-5+cached=100,cache_write=50", max_tokens: 100, messages }))).usage;
  },
  async "anthropic-raw-stream"() {
    const stream = await track(() => anthropic.messages.create({ model: "claude-sonnet-4-5", max_tokens: 100, messages, stream: true }));
    return (await all(stream)).findLast((one) => one.usage).usage;
  },
  async "anthropic-stream"() {
    const tools = [{ name: "weather", input_schema: { type: "object", properties: { city: { type: "string" } } } }];
    const stream = track(() => anthropic.messages.stream({ model: "claude-sonnet-4-5", max_tokens: 100, messages, tools }));
    let events = 0;
    stream.on("streamEvent", () => { events += 1; });
    const final = await stream.finalMessage();
    assert.ok(events > 3);
    return final.usage;
  },
  async "anthropic-error"() {
    const stream = track(() => anthropic.messages.stream({ model: "claude-sonnet-4-5+status=529", max_tokens: 100, messages }), { model: "claude-sonnet-4-5" });
    const error = await stream.finalMessage().catch((one) => one);
    return { status: error.status };
  },
  async "google-content"() {
    return (await track(() => google.models.generateContent({ model: "gemini-2.5-flash", contents: "hello" }))).usageMetadata;
  },
  async "google-stream"() {
    const stream = await track(() => google.models.generateContentStream({ model: "gemini-2.5-flash", contents: "hello" }));
    return (await all(stream)).at(-1).usageMetadata;
  },
  async "vercel-text"() {
    return (await track(() => ai.generateText({ model: vercel.chat("gpt-4o"), prompt: "hello" }))).usage;
  },
  async "vercel-steps"() {
    const tools = { weather: ai.tool({ inputSchema: z.object({ city: z.string() }), execute: async () => ({ sky: "blue" }) }) };
    const result = await track(() => ai.generateText({ model: vercel.chat("gpt-4o"), prompt: "hello", tools, stopWhen: ai.stepCountIs(3) }));
    assert.equal(result.steps.length, 2);
    return result.totalUsage;
  },
  async "vercel-stream"() {
    const result = track(() => ai.streamText({ model: vercel.chat("gpt-4o"), prompt: "hello" }));
    assert.ok(result.textStream);
    assert.ok((await all(result.textStream)).length > 1);
    return await result.usage;
  },
  async "vercel-response"() {
    const result = track(() => ai.streamText({ model: vercel.chat("gpt-4o"), prompt: "hello" }));
    await result.toUIMessageStreamResponse().text();
    return await result.usage;
  },
  async "vercel-finish"() {
    let told;
    const result = track(() => ai.streamText({ model: claude("claude-sonnet-4-5"), prompt: "hello", onFinish: (one) => { told = one; } }));
    await result.consumeStream();
    return told.totalUsage;
  },
  async "vercel-object"() {
    const schema = z.object({ city: z.string() });
    return (await track(() => ai.generateObject({ model: vercel.chat("gpt-4o"), schema, prompt: "hello" }))).usage;
  },
  async "vercel-embed"() {
    return (await track(() => ai.embed({ model: vercel.embedding("text-embedding-3-small"), value: "hello" }))).usage;
  },
};

const seen = {};
for (const [name, run] of Object.entries(cases)) {
  if (process.argv[2] && !process.argv.slice(2).includes(name)) continue;
  const before = stats().recorded;
  try {
    const usage = await run();
    await new Promise((done) => setTimeout(done, 5));
    seen[name] = { usage, recorded: stats().recorded - before };
  } catch (error) {
    seen[name] = { failure: String(error?.stack ?? error) };
  }
}
await flush();
console.log(JSON.stringify({ seen, stats: stats() }));
