/**
 * A conversation with its figures: which calls a message stands for, what it took, and what the run has cost up to there.
 *
 * A task names its call, a message its task. A call that no message's task names belongs to the answer that came next. Each call
 * counts once, so that the last cumulative figure is the run's.
 */

/** @typedef {Record<string, any>} Told as the interface gives it */
/** @typedef {{calls: number, input: number | null, output: number | null, cost: number, unpriced: number}} Sum tokens, nano-USD, calls without a price; tokens that no call tells are unknown */
/**
 * @typedef {object} Entry
 * @property {'message' | 'task' | 'rest'} kind a task without a message of its own; what came after the last message
 * @property {string} key
 * @property {Told | null} message
 * @property {Told | null} task
 * @property {Told[]} nodes its calls
 * @property {Sum} own
 * @property {Sum} total up to here
 */

/** @returns {Sum} */
const nothing = () => ({ calls: 0, input: null, output: null, cost: 0, unpriced: 0 });

/** @param {Told[]} nodes @returns {Sum} */
export function sumOf(nodes) {
  return nodes.reduce((/** @type {Sum} */ sum, node) => added(sum, {
    calls: 1, input: node.input_tokens, output: node.output_tokens, cost: node.cost_nanousd ?? 0, unpriced: node.cost_nanousd === null ? 1 : 0,
  }), nothing());
}

/** @param {Sum} one @param {Sum} other @returns {Sum} */
function added(one, other) {
  return { calls: one.calls + other.calls, input: plus(one.input, other.input), output: plus(one.output, other.output), cost: one.cost + other.cost, unpriced: one.unpriced + other.unpriced };
}

/** @param {number | null} one @param {number | null} other @returns {number | null} */
export function plus(one, other) {
  return one === null ? other : other === null ? one : one + other;
}

/** @param {Sum} sum @returns {number | null} nano-USD; unknown where no call has a price */
export function costOf(sum) {
  return sum.calls > sum.unpriced ? sum.cost : null;
}

/**
 * @param {Told[]} messages in order @param {Told[]} tasks @param {Told[]} nodes of the tree; steps are left out
 * @param {boolean} [isWhole] whether these are all messages: what comes after the last one is not told before
 * @returns {Entry[]}
 */
export function conversation(messages, tasks, nodes, isWhole = true) {
  const calls = new Map(nodes.filter((node) => node.kind === 'call').map((node) => [node.id, node]));
  const byTask = new Map(tasks.map((task) => [task.task_id, task]));
  /** @type {Map<string, Told>} the last message of a task, an answer before a question */
  const speaker = new Map();
  for (const message of messages) {
    const before = message.task_id ? speaker.get(message.task_id) : undefined;
    if (message.task_id && (!before || message.role === 'assistant' || before.role !== 'assistant')) speaker.set(message.task_id, message);
  }
  /** @type {Map<string, Entry>} */
  const entries = new Map(messages.map((message) => [message.message_id, made('message', message.message_id, message, byTask.get(message.task_id) ?? null)]));
  /** @type {Entry[]} */
  const silent = [];
  for (const task of tasks) {
    const message = speaker.get(task.task_id);
    const entry = message ? entries.get(message.message_id) : made('task', task.task_id, null, task);
    const call = calls.get(task.call_id);
    if (call) {
      calls.delete(task.call_id);
      entry?.nodes.push(call);
    }
    if (!message && entry) silent.push(entry);
  }
  const order = woven([...entries.values()], silent);
  const rest = made('rest', 'rest', null, null);
  for (const call of calls.values()) (order.find((entry) => entry.message?.role === 'assistant' && when(entry) >= Date.parse(call.started_at)) ?? rest).nodes.push(call);
  if (rest.nodes.length && isWhole) order.push(rest);
  let total = nothing();
  for (const entry of order) {
    entry.own = sumOf(entry.nodes);
    total = added(total, entry.own);
    entry.total = total;
  }
  return order;
}

/** @param {Told[]} messages of a shared link, which tells no figures of single ones @returns {Entry[]} */
export function sharedEntries(messages) {
  return messages.map((message, number) => made('message', String(number), message, null));
}

/** @param {Entry['kind']} kind @param {string} key @param {Told | null} message @param {Told | null} task @returns {Entry} */
function made(kind, key, message, task) {
  return { kind, key, message, task, nodes: [], own: nothing(), total: nothing() };
}

/** @param {Entry} entry @returns {number} milliseconds since 1970 */
function when(entry) {
  return Date.parse(entry.message?.created_at ?? entry.task?.started_at ?? entry.task?.created_at ?? '');
}

/** Messages keep their order; a task goes before the first message that is younger. @param {Entry[]} messages @param {Entry[]} tasks */
function woven(messages, tasks) {
  const waiting = [...tasks].sort((one, other) => when(one) - when(other));
  const order = [];
  for (const entry of messages) {
    while (waiting.length && when(waiting[0]) < when(entry)) order.push(/** @type {Entry} */ (waiting.shift()));
    order.push(entry);
  }
  return [...order, ...waiting];
}

/** @param {any} content text, or parts as a provider has them @returns {string[]} paragraphs to be shown */
export function textsOf(content) {
  if (content === null || content === undefined) return [];
  if (typeof content === 'string') return content ? [content] : [];
  if (Array.isArray(content)) return content.flatMap(textsOf);
  if (typeof content.text === 'string') return [content.text];
  if (typeof content.content === 'string') return [content.content];
  if (/image/.test(content.type ?? '')) return ['[image]'];
  return [JSON.stringify(content, null, 2)];
}

/** @param {Told} attachment @returns {{label: string, href: string | null}} no address but http and https is a link */
export function attachmentOf({ kind, url, name, file_id: file, video_id: video, mime_type: type }) {
  const label = [kind === 'youtube' ? 'YouTube' : kind, name ?? video ?? (kind === 'file' || kind === 'image' ? file : null) ?? url, type].filter(Boolean).join(' · ');
  return { label, href: typeof url === 'string' && /^https?:\/\//i.test(url) ? url : null };
}
