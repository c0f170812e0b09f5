/**
 * Facets of the list of calls: how many calls have which value, and what choosing one does to the filter.
 *
 * A facet counts under all filters but its own, so that what could be chosen besides stays in sight.
 */
import { parse, printAll } from './filter.js';

/** @typedef {import('./filter.js').Term} Term */
/** @typedef {{field: string, label: string}} Facet */

/** @type {readonly Facet[]} */
export const FACETS = Object.freeze([
  { field: 'status', label: 'Status' }, { field: 'model', label: 'Model' }, { field: 'project', label: 'Project' },
  { field: 'operation', label: 'Operation' }, { field: 'name', label: 'Name' }, { field: 'provider', label: 'Provider' },
  { field: 'user_id', label: 'User' }, { field: 'agent_name', label: 'Agent' }, { field: 'environment', label: 'Environment' },
  { field: 'tag', label: 'Tag' }, { field: 'error_type', label: 'Error' }, { field: 'cost_status', label: 'Cost status' },
]);

/** Values that a facet lists. */
export const MOST = 8;
const USUAL = Object.freeze(['status', 'model', 'project']);

/** @param {URLSearchParams} params of the address @returns {Set<string>} fields of the facets that stand open */
export function openOf(params) {
  const told = params.get('facets');
  return new Set(told === null ? USUAL : told.split(',').filter((field) => FACETS.some((facet) => facet.field === field)));
}

/** @param {Set<string>} open @returns {string | null} for the address; null where it is as usual */
export function openText(open) {
  const fields = FACETS.map((facet) => facet.field).filter((field) => open.has(field));
  return fields.join() === USUAL.join() ? null : fields.join() || 'none';
}

/** @param {URLSearchParams} params @param {string} field @returns {URLSearchParams} the same address without the facet's own filter */
export function besides(params, field) {
  const others = new URLSearchParams(params);
  others.set('q', printAll(parse(params.get('q') ?? '').terms.filter((term) => term.field !== field)));
  return others;
}

/** @param {Term[]} terms @param {string} field @returns {Set<string | null>} values chosen of a facet; null is "not told" */
export function chosenOf(terms, field) {
  /** @type {Set<string | null>} */
  const chosen = new Set();
  for (const term of terms) {
    if (term.field !== field) continue;
    if (term.op === 'eq' || term.op === 'in') term.values.forEach((value) => chosen.add(value));
    if (term.op === 'missing') chosen.add(null);
  }
  return chosen;
}

/**
 * The filter after a click on a value: chosen beside the others of its facet, or no longer. What else was said of the field
 * (`-model:x`, `model:*mini*`) gives way to the choice.
 * @param {string} text the filter as typed @param {string} field @param {string | null} value @returns {string | null}
 */
export function toggled(text, field, value) {
  const { terms } = parse(text);
  const chosen = chosenOf(terms, field);
  const isOn = chosen.delete(value);
  if (!isOn) {
    // A missing value and others cannot be asked for in one term.
    if (value === null) chosen.clear();
    else chosen.delete(null);
    chosen.add(value);
  }
  const others = terms.filter((term) => term.field !== field);
  const values = [...chosen].filter((one) => one !== null);
  /** @type {Term[]} */
  const own = chosen.has(null)
    ? [{ field, op: 'missing', values: [] }]
    : values.length ? [{ field, op: values.length === 1 ? 'eq' : 'in', values }] : [];
  return printAll([...others, ...own]) || null;
}
