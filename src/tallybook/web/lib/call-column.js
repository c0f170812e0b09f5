/**
 * The columns that the list of calls can have, which of them it has, and where that stands in the address.
 */
import { costExact, costText, modelOf } from './call.js';
import { count, duration, exact } from './format.js';

/** @typedef {Record<string, any>} Call as `/api/v1/calls` gives it */

/**
 * @typedef {object} CallColumn
 * @property {string} key as it stands in the address
 * @property {string} label
 * @property {(call: Call) => string} show
 * @property {(call: Call) => string} [exact] for hover, where it differs
 * @property {boolean} [isNumber] on the right
 * @property {'second' | 'third'} [rank] of the usual ones: left out on narrow screens
 */

/** @param {string} key @param {string} label @param {(call: Call) => any} value @param {'second' | 'third'} [rank] @returns {CallColumn} */
const text = (key, label, value, rank) => ({ key, label, rank, show: (call) => value(call) || '–', exact: (call) => String(value(call) || 'not told') });

/** @param {string} key @param {string} label @param {(call: Call) => number | null | undefined} value @param {'second' | 'third'} [rank] @returns {CallColumn} */
const tokens = (key, label, value, rank) => ({ key, label, rank, isNumber: true, show: (call) => count(value(call)), exact: (call) => exact(value(call)) });

/** @param {string} key @param {string} label @param {(call: Call) => number | null | undefined} value milliseconds @param {'second' | 'third'} [rank] @returns {CallColumn} */
const time = (key, label, value, rank) => ({ key, label, rank, isNumber: true, show: (call) => duration(us(value(call))), exact: (call) => `${exact(value(call))} ms` });

/** @param {number | null | undefined} ms */
function us(ms) {
  return ms === null || ms === undefined ? null : ms * 1_000;
}

/** All but the time, which every list begins with. @type {readonly CallColumn[]} */
export const COLUMNS = Object.freeze([
  text('model', 'Model', modelOf),
  text('what', 'What', (call) => call.name ?? call.operation, 'second'),
  text('provider', 'Provider', (call) => call.provider),
  text('operation', 'Operation', (call) => call.operation),
  text('project', 'Project', (call) => call.metadata?.project, 'third'),
  text('user', 'User', (call) => call.user_id, 'third'),
  text('agent', 'Agent', (call) => call.agent_name),
  text('environment', 'Environment', (call) => call.environment),
  text('tags', 'Tags', (call) => (call.tags ?? []).join(', ')),
  text('run', 'Run', (call) => call.run_id ?? call.session_id),
  tokens('input', 'Input', (call) => call.tokens?.input, 'second'),
  tokens('cached', 'Cached', (call) => call.tokens?.cache_read),
  tokens('output', 'Output', (call) => call.tokens?.output, 'second'),
  tokens('reasoning', 'Reasoning', (call) => call.tokens?.reasoning),
  tokens('tools', 'Tool calls', (call) => call.tool_calls?.length ?? 0),
  time('first', 'First token', (call) => call.ttft_ms),
  time('took', 'Took', (call) => call.duration_ms, 'second'),
  { key: 'cost', label: 'Cost', isNumber: true, show: costText, exact: costExact },
  { key: 'status', label: 'Status', show: (call) => (call.status === 'ok' ? 'ok' : (call.error_type ?? call.status ?? '–')) },
]);

const USUAL = Object.freeze(['model', 'what', 'project', 'user', 'input', 'output', 'took', 'cost', 'status']);

/** @param {string | null} told `columns` of the address @returns {CallColumn[]} those shown; chosen ones stay on narrow screens too */
export function shownColumns(told) {
  if (told === null) return COLUMNS.filter(({ key }) => USUAL.includes(key));
  const keys = told.split(',');
  return COLUMNS.filter(({ key }) => keys.includes(key)).map((column) => ({ ...column, rank: undefined }));
}

/** @param {string | null} told @param {string} key @returns {string | null} the address's `columns` after a column was put in or left out */
export function toggledColumns(told, key) {
  const shown = new Set(shownColumns(told).map((column) => column.key));
  if (!shown.delete(key)) shown.add(key);
  const keys = COLUMNS.map((column) => column.key).filter((one) => shown.has(one));
  return keys.join() === USUAL.join() ? null : keys.join() || 'none';
}
