/**
 * Uses of tools: what they can be filtered by, and the columns of their table.
 */
import { ms } from './column.js';
import { FIELDS } from './filter.js';
import { count, exact, moment, percent } from './format.js';

/** @typedef {import('./table.js').Column} Column */

const KNOWN = new Set(['project', 'provider', 'model', 'agent_name', 'user_id', 'run_id']);

/**
 * @param {import('./filter.js').Term[]} terms
 * @returns {string[]} what was filtered by that no use of a tool knows, as it is typed
 */
export function strangers(terms) {
  const words = Object.fromEntries(Object.entries(FIELDS).reverse().map(([word, field]) => [field, word]));
  return [...new Set(terms.filter((term) => !KNOWN.has(term.field)).map((term) => words[term.field] ?? term.field))];
}

/** What a tool filter may name, as it is typed. */
export const TOOL_WORDS = Object.freeze(Object.entries(FIELDS).filter(([, field]) => KNOWN.has(field)).map(([word]) => word));

/** @type {readonly Column[]} */
export const TOOL_COLUMNS = Object.freeze(/** @type {Column[]} */ ([
  { key: 'tool', label: 'Tool', isText: true },
  { key: 'uses', label: 'Uses', format: count, exact },
  { key: 'share', label: 'Share', rank: 2, format: percent },
  { key: 'failures', label: 'Failed', rank: 1, format: count, exact },
  { key: 'success_rate', label: 'Success', format: percent, exact: (_, row) => `${exact(row.uses - row.failures)} of ${exact(row.uses)} uses did not fail` },
  { key: 'duration_avg_ms', label: 'Average', rank: 1, format: ms },
  { key: 'duration_p95_ms', label: 'P95', rank: 1, format: ms },
  { key: 'runs', label: 'Runs', rank: 3, format: count, exact },
  { key: 'last_at', label: 'Last used', rank: 3, isText: true, format: (value, _, zone) => (value ? moment(value, zone).slice(0, 16) : '–') },
]));

/**
 * Rows with their share of all uses, and with what is asked for apart because it takes longer.
 * @param {Record<string, any>[]} rows @param {number} uses in all @param {Record<string, any>[]} slow rows by `tool`; empty while they are not there
 */
export function toolRows(rows, uses, slow) {
  const known = new Map(slow.map((row) => [row.tool, row]));
  return rows.map((row) => ({ ...row, share: uses ? row.uses / uses : null, duration_p95_ms: known.get(row.tool)?.duration_p95_ms ?? null, runs: known.get(row.tool)?.runs ?? null }));
}
