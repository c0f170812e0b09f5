/**
 * The same calls on another model: differences as they are read, and the model chosen as it stands in the address.
 */
import { change, money } from './format.js';
import { rate } from './setting.js';

/** @param {number | null | undefined} nanousd @returns {string} `+$1.20`, `−$0.03`, `–` */
export function signed(nanousd) {
  if (nanousd === null || nanousd === undefined) return '–';
  if (nanousd === 0) return money(0);
  return `${nanousd < 0 ? '−' : '+'}${money(Math.abs(nanousd))}`;
}

/** @param {Record<string, any>} row of a model @returns {number | null} what more it would have cost, in nano-USD */
export function differenceOf(row) {
  return row.is_comparable ? row.other_cost_nanousd - row.cost_nanousd : null;
}

/** @param {Record<string, any>} row @returns {string} `−40%`, empty where nothing can be said */
export function shareOf(row) {
  return row.is_comparable && row.other_cost_nanousd !== row.cost_nanousd ? change(row.other_cost_nanousd, row.cost_nanousd) : '';
}

/** @param {Record<string, any>} row @returns {string} why a model is not in the sums; empty when it is */
export function whyNot(row) {
  if (row.is_comparable) return '';
  if (row.cost_nanousd === null) return 'its cost is not known';
  if (row.other_cost_nanousd === null) return row.reasons?.length ? row.reasons.join(', ').replaceAll('_', ' ') : 'it told no tokens';
  return `${row.unpriced_calls} of its calls have no price`;
}

/** @param {Record<string, any>} basis @returns {string[]} the price that was taken, a part each */
export function basisOf(basis) {
  if (basis.is_free) return ['free'];
  const parts = [`input ${rate(basis.input_picousd)}`, `cache reads ${rate(basis.cache_read_picousd)}`, `cache writes ${rate(basis.cache_write_picousd)}`, `output ${rate(basis.output_picousd)}`];
  if (basis.reasoning_picousd !== null) parts.push(`reasoning ${rate(basis.reasoning_picousd)}`);
  if (basis.request_nanousd) parts.push(`${money(basis.request_nanousd)} a call`);
  return parts;
}

/**
 * Models to choose from, those in use first; each once.
 * @param {{models: Record<string, any>[], known: Record<string, any>[]}} prices
 * @returns {{heading: string, models: {provider: string, model: string}[]}[]}
 */
export function choices({ models, known }) {
  const seen = new Set();
  const fresh = (/** @type {Record<string, any>} */ { provider, model }) => {
    const key = `${provider}/${model}`;
    return !seen.has(key) && Boolean(seen.add(key));
  };
  const used = models.filter((one) => one.model !== null && (one.price !== null || one.is_free)).filter(fresh);
  /** @type {Map<string, {provider: string, model: string}[]>} */
  const makers = new Map();
  for (const { provider, model } of known.filter(fresh)) makers.set(provider, [...(makers.get(provider) ?? []), { provider, model }]);
  return [{ heading: 'in use', models: used.map(({ provider, model }) => ({ provider, model })) }, ...[...makers].map(([heading, found]) => ({ heading, models: found }))].filter((group) => group.models.length);
}
