/**
 * One call as people read it: its tokens in buckets that add up, its cost by part, ways to ask for it elsewhere.
 */
import { exact, money } from './format.js';

/** @typedef {Record<string, any>} Call as `/api/v1/calls` gives it */

/**
 * Buckets that do not overlap: together they are the input and the output.
 * @param {Call} call @returns {{name: string, tokens: number, side: 'input' | 'output'}[]}
 */
export function buckets(call) {
  const told = call.tokens ?? {};
  const parts = [];
  /** @param {'input' | 'output'} side @param {string} rest @param {[string, string][]} names */
  const add = (side, rest, names) => {
    const total = told[side];
    if (total === null || total === undefined) return;
    let left = total;
    for (const [key, name] of names) {
      if (told[key]) {
        parts.push({ name, tokens: told[key], side });
        left -= told[key];
      }
    }
    parts.push({ name: rest, tokens: left, side });
  };
  add('input', 'input, not cached', [['cache_read', 'read from the cache'], ['cache_write_5m', 'written to the cache, 5 min'], ['cache_write_1h', 'written to the cache, 1 h']]);
  add('output', 'output', [['reasoning', 'reasoning'], ['output_audio', 'audio'], ['output_image', 'images']]);
  return parts;
}

/** @param {Call} call @returns {{name: string, nanousd: number}[]} parts of the cost that are known and not 0 */
export function costParts(call) {
  const names = { input_nanousd: 'input', cache_read_nanousd: 'cache reads', cache_write_nanousd: 'cache writes', output_nanousd: 'output', tools_nanousd: 'tools and fees' };
  return Object.entries(names).flatMap(([key, name]) => (call.cost?.[key] ? [{ name, nanousd: call.cost[key] }] : []));
}

/** @param {Call} call @returns {string} */
export function costText(call) {
  const { status } = call.cost ?? {};
  if (call.cost_nanousd === null || call.cost_nanousd === undefined) return status === 'unpriced' ? 'unpriced' : '–';
  return `${status === 'estimated' ? '~' : ''}${money(call.cost_nanousd)}${status === 'partial' ? '+' : ''}`;
}

/** @param {Call} call */
export function costExact(call) {
  return call.cost_usd === null || call.cost_usd === undefined ? `unknown: ${(call.cost?.reasons ?? []).join(', ') || 'no price'}` : `${exact(call.cost_usd)} USD, ${call.cost?.status ?? 'stated'}`;
}

/** @param {Call} call @param {string} origin @returns {{link: string, command: string, request: string}} the same call elsewhere */
export function elsewhere(call, origin) {
  return {
    link: `${origin}/calls?call=${call.call_id}`,
    command: `tallybook show ${call.call_id}`,
    request: `curl ${origin}/api/v1/calls/${call.call_id}`,
  };
}

/** @param {Call} call @returns {string} the model that answered, else the one that was asked for */
export function modelOf(call) {
  return call.response_model ?? call.model ?? 'not told';
}
