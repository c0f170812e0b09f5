/**
 * Runs: from the address to the interface's parameters, and what is read off a run's calls.
 */

/** @typedef {Record<string, any>} Told as the interface gives it */

export const SOURCES = Object.freeze(['prompt', 'chat', 'applet', 'cockpit', 'workflow', 'custom']);
export const STATUSES = Object.freeze(['active', 'completed', 'archived']);
/** What the list may be ordered by, and the words for it. */
export const SORTS = Object.freeze({
  updated_at: 'Last activity', created_at: 'Newest', last_message_at: 'Last message', name: 'Name', cost: 'Cost', tokens: 'Tokens', calls: 'Calls',
});
export const USUAL_SORT = 'updated_at';
/** Filters of the address: the same names as the interface's. */
export const FILTERS = Object.freeze(['text', 'status', 'source_type', 'starred', 'tag', 'project', 'user', 'deleted']);
export const PAGE = 50;

/** @param {URLSearchParams} params of the address @param {string | null} [cursor] @returns {Record<string, string | string[]>} for `/api/v1/runs` */
export function listParams(params, cursor = null) {
  /** @type {Record<string, string | string[]>} */
  const asked = { limit: String(PAGE) };
  for (const name of FILTERS) {
    const values = params.getAll(name).filter((value) => value !== '');
    if (values.length) asked[name] = values;
  }
  const sort = params.get('sort') ?? USUAL_SORT;
  asked.sort = sort in SORTS ? sort : USUAL_SORT;
  asked.order = asked.sort === 'name' ? 'asc' : 'desc';
  if (cursor) asked.cursor = cursor;
  return asked;
}

/** @param {URLSearchParams} params @returns {boolean} whether some runs are left out */
export function isNarrowed(params) {
  return FILTERS.some((name) => params.get(name));
}

/** @param {Told} run @returns {string} what it is called */
export function nameOf(run) {
  return run.name || run.agent_name || run.run_id;
}

/** @param {string} path @returns {string | null} the run that an address is about */
export function runIdOf(path) {
  const found = /^\/runs\/([^/]+)\/?$/.exec(path);
  if (!found) return null;
  try {
    return decodeURIComponent(found[1]);
  } catch {
    return found[1];
  }
}

/** @param {string} id */
export function runPath(id) {
  return `/runs/${encodeURIComponent(id)}`;
}

/** @param {Told} run @returns {string} the interface's address of it */
export function runApi(run) {
  return `/api/v1/runs/${encodeURIComponent(run.run_id)}`;
}

/** @param {string} text @param {string[]} tags @returns {string[] | null} tags with those typed, separated by commas; null where none is new */
export function withTags(text, tags) {
  const fresh = text.split(',').map((tag) => tag.trim()).filter((tag) => tag && !tags.includes(tag));
  return fresh.length ? [...tags, ...new Set(fresh)] : null;
}

const THREADS = 6;

/**
 * How the context grows: the input of each call in order of start, a line for each of the steps that made them.
 * @param {Told[]} nodes of the tree @param {(iso: string) => Date} at where a moment stands on the axis
 * @returns {{size: {x: Date, y: number | null, series: string}[], share: {x: Date, y: number | null, series: string}[]}} tokens; share from the cache
 */
export function growth(nodes, at) {
  const steps = new Map(nodes.filter((node) => node.kind !== 'call').map((node) => [node.id, node]));
  const calls = nodes.filter((node) => node.kind === 'call' && node.input_tokens !== null).sort((one, other) => one.offset_ms - other.offset_ms);
  /** @type {Map<string | null, number>} */
  const sizes = new Map();
  for (const call of calls) sizes.set(call.parent_id, (sizes.get(call.parent_id) ?? 0) + 1);
  const largest = [...sizes].sort((one, other) => other[1] - one[1]).slice(0, THREADS).map(([id]) => id);
  const names = new Map(largest.map((id, number) => {
    const name = steps.get(/** @type {string} */ (id))?.name || 'context';
    return [id, largest.slice(0, number).some((other) => (steps.get(/** @type {string} */ (other))?.name || 'context') === name) ? `${name} ${number + 1}` : name];
  }));
  const size = calls.map((call) => ({ x: at(call.started_at), y: call.input_tokens, series: names.get(call.parent_id) ?? 'others' }));
  const told = calls.filter((call) => call.cache_read_tokens !== null);
  const share = told.flatMap((call, number) => {
    const x = at(call.started_at);
    const last = shareOf(told.slice(Math.max(0, number + 1 - LAST), number + 1));
    return [{ x, y: last, series: `last ${LAST} calls` }, { x, y: shareOf(told.slice(0, number + 1)), series: 'so far' }];
  });
  return { size, share };
}

/** Calls that a share from the cache is over: that of single ones jumps between none and all. */
const LAST = 10;

/** @param {Told[]} calls @returns {number | null} of their input that came from the cache */
function shareOf(calls) {
  const { read, input } = cached(calls);
  return input ? read / input : null;
}

/** @param {Told[]} nodes @returns {{read: number, input: number}} of the calls that tell of a cache */
export function cached(nodes) {
  const told = nodes.filter((node) => node.kind === 'call' && node.cache_read_tokens !== null && node.input_tokens !== null);
  return { read: told.reduce((sum, node) => sum + node.cache_read_tokens, 0), input: told.reduce((sum, node) => sum + node.input_tokens, 0) };
}

/** @param {string} origin @param {string} path of a new link */
export function linkOf(origin, path) {
  return new URL(path, origin).href;
}

/** @param {string} choice days, or nothing for never @param {Date} now @returns {string | null} ISO 8601 */
export function endOf(choice, now) {
  const days = Number(choice);
  return days > 0 ? new Date(now.getTime() + days * 86_400_000).toISOString() : null;
}

/** @param {Told} share @param {Date} now @returns {'in force' | 'revoked' | 'over'} */
export function shareState(share, now) {
  if (share.revoked_at) return 'revoked';
  return share.expires_at && Date.parse(share.expires_at) <= now.getTime() ? 'over' : 'in force';
}
