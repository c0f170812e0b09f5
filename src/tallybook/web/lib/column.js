/**
 * Columns that several pages have: figures of a group of calls.
 */
import { count, duration, exact, moment, money, percent } from './format.js';
import { nameOf } from './question.js';

/** @typedef {import('./table.js').Column} Column */

/** What has to be asked for `GROUP_COLUMNS`. */
export const GROUP_MEASURES = Object.freeze(['calls', 'errors', 'cost_nanousd', 'unpriced_calls', 'input_tokens', 'output_tokens', 'cache_read_tokens', 'duration_p50_us', 'duration_p95_us', 'ttft_p50_us', 'timed_output_us', 'timed_output_tokens', 'users', 'last_at_us']);

/** @param {string} key @param {string} label @returns {Column} */
export const named = (key, label) => ({ key, label, isText: true, format: nameOf });

/** @type {Record<string, Column>} */
export const GROUP = Object.freeze({
  calls: { key: 'calls', label: 'Calls', format: count, exact },
  cost: { key: 'cost_nanousd', label: 'Cost', format: (value, row) => `${money(value)}${row.unpriced_calls && value !== null ? '+' : ''}`, exact: (value, row) => `${exact(row.cost_usd)} USD${row.unpriced_calls ? `, ${exact(row.unpriced_calls)} calls unpriced` : ''}` },
  each: { key: 'cost_of_a_call', label: 'A call', rank: 3, value: (row) => priced(row) ? row.cost_nanousd / priced(row) : null, format: money, exact: (value) => (value === null ? 'unknown' : `${exact(value / 1e9)} USD a priced call`) },
  input: { key: 'input_tokens', label: 'Input', rank: 2, format: count, exact },
  output: { key: 'output_tokens', label: 'Output', rank: 2, format: count, exact },
  cached: { key: 'share_cached', label: 'Cached', rank: 3, value: cachedShare, format: percent, exact: (_, row) => `${exact(row.cache_read_tokens)} of ${exact(row.input_tokens)} input tokens` },
  failed: { key: 'share_failed', label: 'Failed', rank: 1, value: (row) => (row.calls ? row.errors / row.calls : null), format: percent, exact: (_, row) => `${exact(row.errors)} of ${exact(row.calls)} calls` },
  median: { key: 'duration_p50_ms', label: 'Median', rank: 2, format: ms },
  slow: { key: 'duration_p95_ms', label: 'P95', rank: 1, format: ms },
  first: { key: 'ttft_p50_ms', label: 'First token', rank: 3, format: ms },
  speed: { key: 'tokens_a_second', label: 'Tokens/s', rank: 3, value: (row) => (row.timed_output_ms && row.timed_output_tokens ? (row.timed_output_tokens / row.timed_output_ms) * 1_000 : null), format: (value) => (value === null ? '–' : count(value)), exact: (value) => (value === null ? 'unknown' : `${exact(Math.round(value * 10) / 10)} output tokens a second of response time, over the calls that tell both`) },
  users: { key: 'users', label: 'Users', rank: 2, format: count, exact },
  last: { key: 'last_at', label: 'Last used', rank: 3, isText: true, format: (value, _, zone) => (value ? moment(value, zone).slice(0, 16) : '–') },
});

/** @param {Record<string, any>} row @returns {number | null} of the input what came from the cache; `null` where no call told it */
export function cachedShare(row) {
  return row.input_tokens && row.cache_read_tokens !== null ? row.cache_read_tokens / row.input_tokens : null;
}

/** @param {Record<string, any>} row */
function priced(row) {
  return row.calls - (row.unpriced_calls ?? 0);
}

/** @param {number | null | undefined} value milliseconds */
export function ms(value) {
  return duration(value === null || value === undefined ? null : value * 1_000);
}
