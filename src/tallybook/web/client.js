/**
 * Tallybook's client for browsers and Node (18 and newer): one module, no dependencies.
 *
 * `trackOperation(name, project, fn)` runs `fn` once, gives what it gives and throws what it throws, and tells the server
 * what the model call was: tokens, tools, time, failure. Streams are listened to as their reader reads them; nothing is
 * read ahead. What fails in here is counted and never thrown. Each record has its id from the start: sent again, it counts once.
 */

const RECORDS_MAX = 1_000; // Waiting in memory; beyond, the oldest go, counted as `dropped`.
const BATCH_MAX = 100;
const BEACON_BYTES_MAX = 60_000; // Browsers refuse 64 kB and more, of all that a page has handed them together.
const HANDED_MS = 2_000; // So long what was handed over counts as under way.
const TEXT_MAX = 20_000; // Characters of one tool's arguments or result.
const MESSAGE_MAX = 2_000;
const ATTEMPTS_MAX = 8;
const PAUSE_MS = 500;
const PAUSE_MAX_MS = 30_000;
const TIMEOUT_MS = 10_000;

const env = globalThis.process?.env ?? {};
const settings = {
  url: env.TALLYBOOK_URL || (import.meta.url.startsWith('http') ? new URL(import.meta.url).origin : 'http://127.0.0.1:4318'),
  key: env.TALLYBOOK_KEY || /** @type {string | null} */ (null),
  enabled: !['0', 'false', 'no', 'off'].includes((env.TALLYBOOK_ENABLED ?? '').toLowerCase()),
  project: /** @type {string | null} */ (null),
  /** Kept with every record: `user_id`, `session_id`, `environment`, `tags`, `metadata` … @type {object} */
  defaults: {},
  toolData: true, // Whether arguments and results of tools are sent.
  intervalMs: 1_000,
  /** Told of each failure in here, for a log of your own. @type {((error: Error) => void) | null} */
  onProblem: null,
};
const counts = { recorded: 0, sent: 0, refused: 0, dropped: 0, failures: 0 };
/** @type {{log: any, tries: number, handed?: {at: number, bytes: number}}[]} */
let queue = [];
/** @type {any} */
let timer = null;
/** @type {Promise<void> | null} */
let sending = null;
let isHooked = false;

/** Change settings: `configure({url, key, project, enabled: false})`. @param {Partial<typeof settings>} changed */
export function configure(changed = {}) {
  for (const [name, value] of Object.entries(changed)) if (name in settings && value !== undefined) settings[name] = value;
  settings.url = settings.url.replace(/\/+$/, '');
}

/** What became of the records so far; `queued` wait to be sent. */
export const stats = () => ({ ...counts, queued: queue.length });

/** Run what is ours; what fails in it is counted and goes no further. */
function contained(work) {
  try {
    return work();
  } catch (error) {
    problem(error);
    return undefined;
  }
}

function problem(error) {
  counts.failures += 1;
  try {
    settings.onProblem?.(error);
  } catch {
    counts.failures += 1;
  }
}

/**
 * Run an operation and record it.
 * @template T
 * @param {string} operation what is done, as `generate_project_ideas`
 * @param {string | null} projectId
 * @param {() => T} fn
 * @param {object} [details] what the result does not tell: `model`, `provider`, `user_id`, `chat_id`, `message_id`, `tags` …
 * @returns {T} what `fn` returns
 */
export function trackOperation(operation, projectId, fn, details = {}) {
  if (!settings.enabled) return fn();
  const began = contained(() => begin(operation, projectId, details));
  let result;
  try {
    result = fn();
  } catch (error) {
    if (began) contained(() => finish(began, null, error ?? String(error)));
    throw error;
  }
  return began ? contained(() => watch(began, result)) ?? result : result;
}

/** The same for `fn` that promises: always a promise. @template T @param {() => Promise<T>} fn @returns {Promise<T>} */
export async function trackAIOperation(operation, projectId, fn, details = {}) {
  return trackOperation(operation, projectId, fn, details);
}

function begin(operation, projectId, details) {
  const at = Date.now();
  return { operation, project: projectId ?? settings.project, details, at, clock: performance.now(), id: uuid7(at), first: 0, isDone: false };
}

/** What to give back for a result; what it tells is recorded when it is known. */
function watch(began, result) {
  if (typeof result?.then !== 'function') return settled(began, result);
  const ok = (value) => contained(() => settled(began, value)) ?? value;
  const no = (error) => contained(() => finish(began, null, error ?? String(error)));
  if (result.constructor !== Promise && typeof result.parse === 'function') {
    // The SDKs' own promises read the body when they are asked for it: we listen to that, and ask for nothing.
    const parse = result.parse;
    let seen;
    shadow(result, 'parse', /** @this {any} */ function parsed(...args) {
      const promise = parse.apply(this, args);
      if (promise !== seen) (seen = promise).then(ok, no);
      return promise;
    });
    return result;
  }
  if (result.constructor !== Promise) {
    result.then(ok, no);
    return result;
  }
  // A promise behind it, so that a failure that nobody handles is still reported as such.
  return result.then((value) => (ok(value), value), (error) => { no(error); throw error; });
}

function settled(began, value) {
  if (!listen(began, value)) finish(began, read(value));
  return value;
}

function shadow(object, name, value) {
  Object.defineProperty(object, name, { value, configurable: true, writable: true, enumerable: false });
}

// Streams: four kinds of objects, one way to hear what passes.

/** Listen to a stream; false where the value is none. */
function listen(began, value) {
  if (value === null || typeof value !== 'object') return false;
  const heard = collector(began);
  const end = (error) => contained(() => finish(began, heard.result(), error, true));
  const feed = (chunk) => contained(() => heard.feed(chunk));
  if (typeof value._emit === 'function' && typeof value.on === 'function') {
    const emit = value._emit;
    let failure;
    shadow(value, '_emit', /** @this {any} */ function emitted(event, ...args) {
      if (event === 'streamEvent' || event === 'chunk' || event === 'event') feed(args[0]);
      else if (event === 'error' || event === 'abort') failure = args[0] ?? new Error(event);
      else if (event === 'end') end(failure);
      return emit.call(this, event, ...args);
    });
    return true;
  }
  for (const name of ['baseStream', 'originalStream']) {
    if (typeof value[name]?.getReader === 'function') {
      value[name] = passing(value[name], feed, end);
      return true;
    }
  }
  if (typeof value.response?.then === 'function' && value.stream?.[Symbol.asyncIterator]) return listen(began, value.stream);
  if (typeof value[Symbol.asyncIterator] !== 'function') return false;
  if (typeof value.next === 'function') hear(value, value, feed, end);
  else {
    const name = typeof value.iterator === 'function' ? 'iterator' : Symbol.asyncIterator;
    const iterate = value[name];
    shadow(value, name, /** @this {any} */ function iterated(...args) {
      const iterator = iterate.apply(this, args);
      contained(() => hear(iterator, iterator, feed, end));
      return iterator;
    });
  }
  return true;
}

/** Hear what an iterator gives, by its own methods. */
function hear(iterator, self, feed, end) {
  const { next, return: back, throw: cast } = iterator;
  const seen = (step) => (step?.done ? end() : feed(step?.value), step);
  const failed = (error) => { end(error); throw error; };
  shadow(iterator, 'next', (...args) => Promise.resolve(next.apply(self, args)).then(seen, failed));
  if (back) shadow(iterator, 'return', (...args) => { end(aborted()); return back.apply(self, args); });
  if (cast) shadow(iterator, 'throw', (...args) => { end(args[0]); return cast.apply(self, args); });
}

const aborted = () => Object.assign(new Error('the reader stopped'), { name: 'AbortError' });

/** The same stream, heard; it is read when and as far as its reader reads. */
function passing(stream, feed, end) {
  const reader = stream.getReader();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          end();
          controller.close();
        } else {
          feed(value);
          controller.enqueue(value);
        }
      } catch (error) {
        end(error);
        controller.error(error);
      }
    },
    cancel(reason) {
      end(aborted());
      return reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

/** Makes one result of what a stream brings, in the form of a result that was not streamed. */
function collector(began) {
  const whole = /** @type {any} */ ({});
  const calls = /** @type {any[]} */ ([]);
  const steps = /** @type {any[]} */ ([]);
  let step = /** @type {any} */ ({ toolCalls: [], toolResults: [] });
  const first = () => { began.first ||= performance.now(); };
  const tool = (index) => (calls[index] ??= { name: '', arguments: '' });
  const openai = (chunk) => {
    Object.assign(whole, { id: chunk.id, model: chunk.model, usage: chunk.usage ?? whole.usage, object: 'chat.completion' });
    for (const choice of chunk.choices ?? []) {
      const { content, tool_calls: told, ...rest } = choice.delta ?? {};
      if (content || told || rest.reasoning_content || rest.refusal || choice.text) first();
      if (choice.finish_reason) whole.finish_reason = choice.finish_reason;
      for (const one of told ?? []) {
        const call = tool(one.index ?? calls.length);
        call.id ??= one.id;
        call.name += one.function?.name ?? '';
        call.arguments += one.function?.arguments ?? '';
      }
    }
  };
  const google = (chunk) => {
    if (chunk.candidates?.length) first();
    for (const name of ['responseId', 'modelVersion', 'usageMetadata']) whole[name] = chunk[name] ?? whole[name];
    whole.finishReason = chunk.candidates?.[0]?.finishReason ?? whole.finishReason;
    for (const part of chunk.candidates?.[0]?.content?.parts ?? []) if (part.functionCall) calls.push(part.functionCall);
  };
  const kinds = {
    message_start: (event) => Object.assign(whole, event.message, { content: [], usage: { ...event.message.usage } }),
    content_block_start: (event) => {
      if (/tool_(use|result)$/.test(event.content_block.type)) whole.content.push({ ...event.content_block, at: event.index, json: '' });
    },
    content_block_delta: (event) => {
      first();
      const block = whole.content?.find((one) => one.at === event.index);
      if (block && event.delta.partial_json) block.json += event.delta.partial_json;
    },
    message_delta: (event) => {
      Object.assign(whole, event.delta);
      for (const [name, value] of Object.entries(event.usage ?? {})) if (value !== null) whole.usage = { ...whole.usage, [name]: value };
    },
    'tool-call': (part) => step.toolCalls.push(part),
    'tool-result': (part) => step.toolResults.push(part),
    'tool-error': (part) => step.toolResults.push(part),
    'finish-step': (part) => stepped(part),
    'step-finish': (part) => stepped(part),
    finish: (part) => {
      if (!steps.length) stepped(part);
      whole.finishReason = part.finishReason;
    },
    error: (part) => { whole.failure = part.error ?? new Error(part.message ?? 'the stream told an error'); },
    abort: () => { whole.failure = aborted(); },
  };
  const stepped = (part) => {
    steps.push({ ...step, ...part });
    step = { toolCalls: [], toolResults: [] };
  };
  return {
    feed(chunk) {
      const part = chunk?.part ?? chunk;
      if (typeof part !== 'object' || part === null) return void first();
      if (part.choices) return openai(part);
      if (part.candidates || part.usageMetadata) return google(part);
      if (part.response && part.type?.startsWith('response.')) Object.assign(whole, part.response);
      if (/[.-]delta$|^tool-call|^object$/.test(part.type ?? '')) first();
      return kinds[part.type]?.(part);
    },
    result() {
      for (const block of whole.content ?? []) if (block.json) block.input = parsed(block.json);
      if (calls.length) whole.toolCalls = calls.filter(Boolean).map((call) => ({ ...call, arguments: parsed(call.arguments ?? call.args) }));
      if (step.toolCalls.length) steps.push(step);
      if (steps.length) whole.steps = steps;
      return { ...read(whole), failure: whole.failure };
    },
  };
}

// What results tell, by the shapes of the SDKs.

function parsed(text) {
  if (typeof text !== 'string') return text;
  try {
    return JSON.parse(text);
  } catch {
    return text; // Models write what is no JSON; it is told as it came.
  }
}

const number = (...found) => found.find((one) => typeof one === 'number' && Number.isFinite(one) && one >= 0);
const sum = (...parts) => {
  const known = parts.filter((one) => number(one) !== undefined);
  return known.length ? known.reduce((all, one) => all + one, 0) : undefined;
};

/** Tokens of any of the SDKs' usage objects. Input holds what was cached, output what was reasoned. */
function tokens(usage, meta = {}) {
  if (!usage) return {};
  if ('promptTokenCount' in usage || 'candidatesTokenCount' in usage || 'totalTokenCount' in usage) {
    return {
      input_tokens: sum(usage.promptTokenCount, usage.toolUsePromptTokenCount), cache_read_tokens: number(usage.cachedContentTokenCount),
      output_tokens: sum(usage.candidatesTokenCount, usage.thoughtsTokenCount), reasoning_tokens: number(usage.thoughtsTokenCount),
    };
  }
  if ('prompt_tokens' in usage || usage.input_tokens_details) {
    const inside = usage.prompt_tokens_details ?? usage.input_tokens_details ?? {};
    const outside = usage.completion_tokens_details ?? usage.output_tokens_details ?? {};
    return {
      input_tokens: number(usage.prompt_tokens, usage.input_tokens), output_tokens: number(usage.completion_tokens, usage.output_tokens),
      cache_read_tokens: number(inside.cached_tokens), cache_write_tokens: number(inside.cache_write_tokens),
      reasoning_tokens: number(outside.reasoning_tokens),
    };
  }
  if ('input_tokens' in usage) { // Anthropic counts what is cached apart.
    const longer = number(usage.cache_creation?.ephemeral_1h_input_tokens);
    const written = number(usage.cache_creation_input_tokens);
    return {
      input_tokens: sum(usage.input_tokens, usage.cache_read_input_tokens, written), output_tokens: number(usage.output_tokens),
      cache_read_tokens: number(usage.cache_read_input_tokens), cache_write_1h_tokens: longer,
      cache_write_tokens: written === undefined ? undefined : written - (longer ?? 0),
    };
  }
  const inside = usage.inputTokenDetails;
  const claude = inside ? undefined : meta.anthropic; // Before version 6 the AI SDK passed Anthropic's own counting on.
  if (claude?.usage?.input_tokens !== undefined) return tokens(claude.usage);
  const cached = number(inside?.cacheReadTokens, usage.cachedInputTokens, meta.openai?.cachedPromptTokens, claude?.cacheReadInputTokens);
  const written = number(inside?.cacheWriteTokens, claude?.cacheCreationInputTokens);
  const input = number(usage.inputTokens, usage.promptTokens, usage.tokens);
  return {
    input_tokens: claude ? sum(input, cached, written) : input, cache_read_tokens: cached, cache_write_tokens: written,
    output_tokens: number(usage.outputTokens, usage.completionTokens),
    reasoning_tokens: number(usage.outputTokenDetails?.reasoningTokens, usage.reasoningTokens, meta.openai?.reasoningTokens),
  };
}

/** Who serves a model, by its name; `unknown` where the name does not tell. @param {string | null} [model] @returns {string} */
export function detectProvider(model) {
  const name = String(model ?? '').toLowerCase();
  const found = PROVIDERS.find(([pattern]) => pattern.test(name));
  return found ? found[1] : 'unknown';
}

const PROVIDERS = /** @type {[RegExp, string][]} */ ([
  [/claude/, 'anthropic'], [/gemini|gemma|imagen|\bveo\b|\blearnlm/, 'google'], [/grok/, 'xai'], [/deepseek/, 'deepseek'],
  [/gpt|davinci|dall-e|whisper|^(openai\/)?(o[1-9]\b|tts-|text-embedding-(3|ada)|omni-mod|sora|codex)/, 'openai'], [/llama/, 'meta'],
  [/mi[sx]tral|codestral|ministral|pixtral|magistral|devstral/, 'mistral'], [/command|^c4ai|^embed-|^rerank-/, 'cohere'],
  [/qwen|qwq/, 'alibaba'], [/sonar/, 'perplexity'], [/kimi|moonshot/, 'moonshotai'], [/\bnova-|titan-/, 'aws'],
]);

/**
 * Tool calls of a result of any of the SDKs.
 * @param {any} response @returns {{name: string, arguments: any, id?: string, result?: any, durationMs?: number, error?: string}[]}
 */
export function extractToolCalls(response) {
  if (!response || typeof response !== 'object') return [];
  if (Array.isArray(response.steps) && response.steps.length) return response.steps.flatMap(extractToolCalls);
  const list = (value) => (Array.isArray(value) ? value : []);
  const parts = list(response.content);
  const results = [...list(response.toolResults), ...parts].filter((one) => one?.toolCallId ?? one?.tool_use_id);
  const performed = response.performance?.toolExecutionMs ?? {};
  const found = /** @type {any[]} */ ([]);
  const add = (name, given, id, more = {}) => {
    const done = results.find((one) => (one.toolCallId ?? one.tool_use_id) === id && !/^tool-call$|_use$/.test(one.type ?? ''));
    const failure = done?.is_error ? done.content : done?.error;
    const told = {
      name: name || 'unknown', arguments: parsed(given) ?? {}, id, result: done?.is_error ? undefined : done?.result ?? done?.output ?? done?.content,
      durationMs: number(performed[id]), error: failure === undefined ? undefined : message(failure), ...more,
    };
    for (const key of Object.keys(told)) if (told[key] === undefined) delete told[key];
    found.push(told);
  };
  const own = list(response.toolCalls).length ? response.toolCalls : list(response.experimental_toolCalls);
  for (const one of own) {
    const more = { result: one.result ?? one.output, durationMs: number(one.durationMs), error: one.error && message(one.error) };
    for (const key of Object.keys(more)) if (more[key] === undefined) delete more[key];
    add(one.toolName ?? one.name ?? one.tool, one.input ?? one.args ?? one.arguments, one.toolCallId ?? one.id, more);
  }
  for (const choice of list(response.choices)) {
    const { tool_calls: calls, function_call: older } = choice.message ?? {};
    for (const one of list(calls)) add(one.function?.name ?? one.custom?.name, one.function?.arguments ?? one.custom?.input, one.id);
    if (older) add(older.name, older.arguments);
  }
  for (const part of parts) if (/tool_use$/.test(part?.type ?? '')) add(part.name, part.input, part.id);
  for (const one of list(response.output)) {
    if (/_call$/.test(one?.type ?? '')) add(one.name ?? one.type.replace(/_call$/, ''), one.arguments ?? one.input ?? one.action, one.call_id ?? one.id, one.output === undefined ? {} : { result: one.output });
  }
  for (const candidate of list(response.candidates)) {
    for (const part of list(candidate?.content?.parts)) if (part?.functionCall) add(part.functionCall.name, part.functionCall.args, part.functionCall.id);
  }
  return found;
}

/** One record's part that a result tells. */
function read(result) {
  if (result === null || typeof result !== 'object') return {};
  const steps = Array.isArray(result.steps) ? result.steps.filter((one) => one?.usage) : [];
  const last = steps.at(-1) ?? result;
  const meta = (one) => one.providerMetadata ?? one.experimental_providerMetadata ?? {};
  const each = steps.map((one) => tokens(one.usage, meta(one)));
  const told = steps.length ? total(each) : tokens(result.usage ?? result.usageMetadata ?? result.message?.usage, meta(result));
  const answered = text(result.modelVersion, result.model, last.response?.modelId, result.response?.modelId,
    result.response?.body?.model, result.responses?.[0]?.body?.model);
  const asked = text(last.model?.modelId) ?? answered;
  const by = text(last.model?.provider);
  const shape = result.usageMetadata || result.modelVersion ? 'google' : result.type === 'message' ? 'anthropic' : undefined;
  const ids = steps.map((one) => text(one.response?.id)).filter(Boolean);
  const guess = detectProvider(answered);
  return {
    ...told,
    provider: by ? served(by) : shape ?? (guess === 'unknown' && /^(chat\.completion|response)/.test(result.object ?? '') ? 'openai' : guess),
    model: asked, response_model: answered,
    response_id: ids.length > 1 ? undefined : text(result.responseId, result.id, ids[0], result.response?.id),
    finish_reason: text(result.finishReason, result.finish_reason, last.finishReason, result.choices?.[0]?.finish_reason, result.stop_reason,
      result.candidates?.[0]?.finishReason, result.incomplete_details?.reason, result.object === 'response' ? result.status : undefined),
    tools: extractToolCalls(result), metadata: ids.length > 1 ? { response_ids: ids, steps: ids.length } : {},
  };
}

const text = (...found) => found.find((one) => typeof one === 'string' && one !== '');
const served = (by) => (/vertex/.test(by) ? 'google-vertex' : by.split('.')[0]);
const total = (each) => Object.fromEntries([...new Set(each.flatMap(Object.keys))].map((key) => [key, sum(...each.map((one) => one[key]))]));
const message = (error) => String(error?.message ?? (typeof error === 'object' ? JSON.stringify(error) : error)).slice(0, MESSAGE_MAX);

// Recording and sending.

function finish(began, told, thrown, isStream = false) {
  if (began.isDone) return;
  began.isDone = true;
  const { tools = [], metadata = {}, failure, ...found } = told ?? {};
  const isStopped = /AbortError\b|UserAbort/.test(`${thrown?.name} ${thrown?.constructor?.name} ${failure?.name}`);
  // Who stops reading behind the end of the answer has had all of it.
  const error = isStopped && found.finish_reason ? undefined : thrown ?? failure;
  const { metadata: own, tags, ...details } = { ...settings.defaults, ...began.details };
  const asked = text(details.model, found.model, error?.requestBodyValues?.model) ?? 'unknown';
  const log = {
    ...found, ...details, id: began.id, created_at: new Date(began.at).toISOString(), operation: String(began.operation || 'unknown'),
    model: asked, provider: text(details.provider, found.provider === 'unknown' ? undefined : found.provider) ?? detectProvider(asked),
    project_id: began.project ?? undefined, duration_ms: round(performance.now() - began.clock),
    ttft_ms: began.first ? round(began.first - began.clock) : undefined, is_stream: isStream,
    status: error === undefined || error === null ? undefined : isStopped ? 'cancelled' : 'error',
    error: error === undefined || error === null ? undefined : message(error) || 'failed',
    tool_calls_count: tools.length, tool_calls_json: tools.length ? tools.map(slim) : undefined,
    metadata: { ...metadata, ...own, ...(error?.name && { error_type: error.name }) }, tags,
  };
  counts.recorded += 1;
  queue.push({ log, tries: 0 });
  if (queue.length > RECORDS_MAX) counts.dropped += queue.splice(0, queue.length - RECORDS_MAX).length;
  hook();
  wait(queue.length >= BATCH_MAX ? 0 : settings.intervalMs);
}

const round = (ms) => Math.round(ms * 1000) / 1000;

function slim(call) {
  if (!settings.toolData) return { name: call.name, id: call.id, durationMs: call.durationMs, error: call.error };
  const cut = (value) => {
    try {
      const json = JSON.stringify(value);
      return json === undefined || json.length <= TEXT_MAX ? value : json.slice(0, TEXT_MAX);
    } catch {
      return '(not JSON)'; // A circle, a BigInt.
    }
  };
  return { ...call, arguments: cut(call.arguments), result: cut(call.result) };
}

/** A UUIDv7: its moment and chance. @param {number} at milliseconds since 1970 @returns {string} */
export function uuid7(at) {
  const bytes = globalThis.crypto?.getRandomValues?.(new Uint8Array(16)) ?? Uint8Array.from({ length: 16 }, () => Math.random() * 256);
  for (let place = 0; place < 6; place += 1) bytes[place] = Math.floor(at / 2 ** (8 * (5 - place))) % 256;
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = Array.from(bytes, (one) => one.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function wait(ms) {
  if (timer !== null && ms > 0) return;
  clearTimeout(timer);
  timer = setTimeout(() => { timer = null; flush(); }, ms);
  timer?.unref?.(); // Node ends when there is nothing else to do; what waits then is sent by `beforeExit`.
}

function hook() {
  if (isHooked) return;
  isHooked = true;
  if (typeof addEventListener === 'function' && typeof document === 'object') {
    addEventListener('pagehide', () => contained(() => handOver(true)));
    document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && contained(() => handOver(false)));
  } else {
    globalThis.process?.once?.('beforeExit', () => flush());
  }
}

/** Send what waits. Resolves when all is sent, or when the server does not take it for now. @returns {Promise<void>} */
export function flush() {
  sending ??= (async () => {
    while (queue.length) if (!(await send(queue.slice(0, BATCH_MAX)))) break;
  })().catch(problem).finally(() => { sending = null; });
  return sending;
}

/** One batch; false where it has to be sent again later. */
async function send(batch) {
  for (const one of batch) one.tries += 1;
  let pause = Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** (batch[0].tries - 1)) * (0.75 + Math.random() / 2);
  try {
    const reply = await fetch(`${settings.url}/api/ai-usage`, {
      method: 'POST', headers: headers(), body: bodyOf(batch), signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const isLater = reply.status >= 500 || reply.status === 429 || reply.status === 408;
    if (!isLater) {
      const told = await reply.json().catch(() => null);
      const refused = told?.refused ?? (reply.ok ? 0 : batch.length);
      counts.refused += refused;
      counts.sent += batch.length - refused;
      if (refused) problem(new Error(`${refused} of ${batch.length} records refused: ${why(told)}`));
      forget(batch);
      return true;
    }
    await reply.body?.cancel();
    pause = Math.max(pause, Number(reply.headers.get('retry-after') ?? 0) * 1000 || 0);
    throw new Error(`the server answered ${reply.status}`);
  } catch (error) {
    problem(error);
    const spent = batch.filter((one) => one.tries >= ATTEMPTS_MAX);
    counts.dropped += spent.length;
    forget(spent);
    if (queue.length) wait(pause);
    return false;
  }
}

const forget = (gone) => { const set = new Set(gone); queue = queue.filter((one) => !set.has(one)); };
const why = (told) => told?.error?.message ?? told?.results?.find((one) => one.error)?.error.message ?? 'no reason told';
const headers = () => ({ 'content-type': 'application/json', ...(settings.key && { authorization: `Bearer ${settings.key}` }) });

const bodyOf = (batch) => `[${batch.map((one) => jsonOf(one.log)).join(',')}]`;

/** JSON of a record; one that is none (a circle in a tool's result) goes without its tools. */
function jsonOf(log) {
  try {
    return JSON.stringify(log);
  } catch (error) {
    problem(error);
    return JSON.stringify({ ...log, tool_calls_json: undefined, metadata: {} });
  }
}

/**
 * The page is hidden, or goes, and may not come back: the browser is handed one body that it sends by itself. Nobody tells whether that arrives, so
 * nothing is forgotten; a page that lives on sends it again, and by its id it counts once. Where not all fits, a page that goes keeps back the data
 * of tools first. A key needs a header, which beacons have not.
 */
function handOver(isGoing) {
  const now = performance.now();
  const isUnder = (one) => now - (one.handed?.at ?? -Infinity) < HANDED_MS;
  let room = queue.filter(isUnder).reduce((left, one) => left - (one.handed?.bytes ?? 0), BEACON_BYTES_MAX);
  const waiting = queue.filter((one) => !isUnder(one)).map((one) => ({ one, whole: sized(one.log), bare: sized(bare(one.log)) }));
  const fits = (bytes) => bytes <= room && ((room -= bytes), true);
  const taken = isGoing
    ? waiting.filter(({ bare: least }) => fits(least.bytes)).map(({ one, whole, bare: least }) => ({ one, ...(fits(whole.bytes - least.bytes) ? whole : least) }))
    : waiting.filter(({ whole }) => fits(whole.bytes)).map(({ one, whole }) => ({ one, ...whole }));
  if (taken.length < waiting.length) problem(new Error(`${waiting.length - taken.length} records are too large to be handed over by a page that goes`));
  if (!taken.length) return;
  const to = `${settings.url}/api/ai-usage`;
  const body = `[${taken.map(({ json }) => json).join(',')}]`;
  if (settings.key || !navigator.sendBeacon) fetch(to, { method: 'POST', headers: headers(), body, keepalive: true }).catch(problem);
  else if (!navigator.sendBeacon(to, new Blob([body], { type: 'text/plain' }))) return void problem(new Error('the browser refused a beacon'));
  for (const { one, bytes } of taken) one.handed = { at: now, bytes };
}

/** A record without what tools were given and gave. */
const bare = (log) => ({ ...log, tool_calls_json: log.tool_calls_json?.map(({ name, id, durationMs }) => ({ name, id, durationMs })) });

function sized(log) {
  const json = jsonOf(log);
  return { json, bytes: new TextEncoder().encode(json).length + 1 };
}
