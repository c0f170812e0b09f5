/**
 * What the palette offers: pages by what was typed, groups and calls as the server knows them, and where each leads.
 */
import { ask } from './api.js';
import { print } from './filter.js';

/** @typedef {{kind: string, label: string, path: string, changes: Record<string, string | null>}} Offer */

const GROUPS = /** @type {const} */ ([['model', 'Model'], ['project', 'Project'], ['user_id', 'User']]);
const DAYS = 90;
const MOST = 6;
const ID = /^[0-9a-f][0-9a-f-]{7,35}$/i;

/**
 * @param {string} text @param {string} label
 * @returns {number | null} how well a label fits, the less the better; null when it does not
 */
export function fit(text, label) {
  const wanted = text.trim().toLowerCase();
  const name = label.toLowerCase();
  if (!wanted) return 0;
  const at = name.indexOf(wanted);
  if (at === 0) return 1;
  if (at > 0) return /[\s/_.-]/.test(name[at - 1]) ? 2 : 3;
  // Else the letters in their order: `ovw` is the overview.
  let place = -1;
  for (const letter of wanted.replaceAll(' ', '')) {
    place = name.indexOf(letter, place + 1);
    if (place < 0) return null;
  }
  return 4;
}

/** @param {string} text @param {readonly {path: string, label: string}[]} pages @returns {Offer[]} */
export function pagesFor(text, pages) {
  return pages
    .flatMap((page) => {
      const rank = fit(text, page.label);
      return rank === null ? [] : [{ rank, page }];
    })
    .sort((one, other) => one.rank - other.rank)
    .map(({ page }) => ({ kind: 'Page', label: page.label, path: page.path, changes: {} }));
}

/** @param {string} text @returns {boolean} whether it may be a call's id or its beginning */
export function isId(text) {
  return ID.test(text.trim());
}

/**
 * Groups that hold the text, most calls first, and the call whose id begins with it.
 * @param {string} text @param {AbortSignal} signal @param {typeof ask} [asked] @returns {Promise<Offer[]>}
 * @throws {import('./api.js').ApiError} when the server does not answer
 */
export async function offersFor(text, signal, asked = ask) {
  const wanted = text.trim();
  const groups = GROUPS.map(async ([field, kind]) => {
    const filter = [`${field}:exists:`, ...(wanted ? [`${field}:contains:${wanted}`] : [])];
    const { rows } = await asked('/api/v1/query', { params: { measures: 'calls', dimensions: field, days: DAYS, order: '-calls', limit: MOST, filter }, signal });
    return rows.map((/** @type {Record<string, any>} */ row) => ({ kind, label: row[field], path: '/', changes: { q: print({ field, op: 'eq', values: [row[field]] }) } }));
  });
  const call = isId(wanted) ? callFor(wanted, signal, asked) : [];
  return (await Promise.all([call, ...groups])).flat();
}

/** @param {string} id @param {AbortSignal} signal @param {typeof ask} asked @returns {Promise<Offer[]>} */
async function callFor(id, signal, asked) {
  try {
    const { call } = await asked(`/api/v1/calls/${encodeURIComponent(id)}`, { signal });
    return [{ kind: 'Call', label: `${call.name ?? call.operation} · ${call.call_id}`, path: '/calls', changes: { call: call.call_id } }];
  } catch (error) {
    const { status } = /** @type {{status?: number}} */ (error);
    if (status === 404 || status === 400) return []; // No call, or several, begin like that: nothing to offer.
    throw error;
  }
}
