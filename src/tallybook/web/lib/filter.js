/**
 * The typed filter and its chips: two views of one list of terms, which stands in the address.
 *
 *   model:gpt-4o user:(ada OR bob) -status:error latency:>2s cost:>=0.01 metadata.region:eu has:ttft
 *
 * An unknown word is an error that names the near one; nothing that was typed is dropped in silence.
 */

/** @typedef {'eq' | 'ne' | 'in' | 'not_in' | 'contains' | 'gte' | 'lt' | 'exists' | 'missing'} Op as the server's filters have them */
/** @typedef {{field: string, op: Op, values: string[]}} Term */
/** @typedef {{at: number, message: string}} Mistake */

/** What may be written before the colon, and what the server calls it. */
export const FIELDS = Object.freeze({
  project: 'project', environment: 'environment', env: 'environment', operation: 'operation', name: 'name', task: 'task',
  provider: 'provider', model: 'model', agent: 'agent_name', user: 'user_id', session: 'session_id', run: 'run_id',
  status: 'status', error: 'error_type', cost_status: 'cost_status', tier: 'service_tier', source: 'source', branch: 'git_branch',
  tag: 'tag', id: 'call_id', latency: 'duration_us', duration: 'duration_us', cost: 'cost_nanousd', input: 'input_tokens',
  output: 'output_tokens', tokens: 'total_tokens', ttft: 'ttft_us',
});

const NAMES = Object.freeze(Object.fromEntries(Object.entries(FIELDS).reverse().map(([word, field]) => [field, word])));
const NUMERIC = new Set(['duration_us', 'cost_nanousd', 'input_tokens', 'output_tokens', 'total_tokens', 'ttft_us']);
const TERM = /(-?)([A-Za-z_][\w.]*):((?:\((?:[^()"]|"[^"]*")*\))|(?:[<>]=?)?"[^"]*"|[^\s"()]+)|(\S+)/g;

/** @param {string} text @returns {{terms: Term[], mistakes: Mistake[]}} */
export function parse(text) {
  /** @type {Term[]} */
  const terms = [];
  /** @type {Mistake[]} */
  const mistakes = [];
  for (const match of text.matchAll(TERM)) {
    const at = match.index;
    const [, minus, word, raw, loose] = match;
    if (loose !== undefined) {
      mistakes.push({ at, message: `“${loose}” names no field: write model:${loose.replaceAll(':', '') || '…'}, for instance` });
      continue;
    }
    try {
      terms.push(term(word, raw, minus === '-'));
    } catch (error) {
      mistakes.push({ at, message: /** @type {Error} */ (error).message });
    }
  }
  return { terms, mistakes };
}

/** @param {string} word @param {string} raw @param {boolean} isNot @returns {Term} */
function term(word, raw, isNot) {
  if (word === 'has') return { field: fieldOf(unquoted(raw)), op: isNot ? 'missing' : 'exists', values: [] };
  const field = fieldOf(word);
  if (raw.startsWith('(')) {
    const values = raw.slice(1, -1).split(/\s+OR\s+/).map((one) => unquoted(one.trim())).filter(Boolean);
    if (!values.length) throw new Error(`${word}:() holds no value`);
    return { field, op: isNot ? 'not_in' : 'in', values };
  }
  const compared = /^([<>])(=?)(.*)$/.exec(raw);
  if (compared) {
    const [, sign, equal, value] = compared;
    if (!NUMERIC.has(field)) throw new Error(`${word} is a text: it cannot be compared by ${sign}`);
    if (isNot) throw new Error(`write ${word}:${sign === '>' ? '<' : '>'}${value} for the opposite`);
    const number = amount(field, unquoted(value), word);
    // The server knows "at least" and "below"; whole units make the other two of them.
    if (sign === '>') return { field, op: 'gte', values: [String(equal ? number : number + 1)] };
    return { field, op: 'lt', values: [String(equal ? number + 1 : number)] };
  }
  const value = unquoted(raw);
  if (/^\*.+\*$/.test(value)) {
    if (isNot) throw new Error('“contains” has no opposite');
    return { field, op: 'contains', values: [value.slice(1, -1)] };
  }
  return { field, op: isNot ? 'ne' : 'eq', values: [NUMERIC.has(field) ? String(amount(field, value, word)) : value] };
}

/** @param {string} word @returns {string} */
function fieldOf(word) {
  if (/^metadata\.[\w.-]+$/.test(word)) return word;
  const field = FIELDS[/** @type {keyof typeof FIELDS} */ (word)];
  if (field) return field;
  const near = nearest(word, Object.keys(FIELDS));
  throw new Error(`there is no field “${word}”${near ? `: did you mean “${near}”?` : ''}`);
}

/** @param {string} field @param {string} text @param {string} word @returns {number} in the server's whole units */
function amount(field, text, word) {
  const match = /^(\d+(?:\.\d+)?)(µs|us|ms|s|m|k|M)?$/.exec(text);
  if (!match) throw new Error(`${word} wants a number, not “${text}”`);
  const value = Number(match[1]);
  const unit = match[2];
  if (field.endsWith('_us')) return Math.round(value * ({ µs: 1, us: 1, ms: 1e3, s: 1e6, m: 6e7 }[unit ?? 's'] ?? NaN));
  if (field === 'cost_nanousd') return Math.round(value * 1e9);
  return Math.round(value * ({ k: 1e3, M: 1e6 }[unit ?? ''] ?? 1));
}

/** @param {Term} term @returns {string} as it would be typed */
export function print({ field, op, values }) {
  const word = NAMES[field] ?? field;
  const shown = values.map((value) => written(field, value));
  switch (op) {
    case 'eq': return `${word}:${shown[0]}`;
    case 'ne': return `-${word}:${shown[0]}`;
    case 'in': return `${word}:(${shown.join(' OR ')})`;
    case 'not_in': return `-${word}:(${shown.join(' OR ')})`;
    case 'contains': return `${word}:${written(field, `*${values[0]}*`)}`;
    case 'gte': return `${word}:>=${shown[0]}`;
    case 'lt': return `${word}:<${shown[0]}`;
    case 'exists': return `has:${word}`;
    default: return `-has:${word}`;
  }
}

/** @param {Term[]} terms */
export function printAll(terms) {
  return terms.map(print).join(' ');
}

/** @param {string} field @param {string} value */
function written(field, value) {
  if (field.endsWith('_us')) return Number(value) >= 1e6 && Number(value) % 1e3 === 0 ? `${Number(value) / 1e6}s` : Number(value) % 1e3 === 0 ? `${Number(value) / 1e3}ms` : `${value}µs`;
  if (field === 'cost_nanousd') return plain(Number(value) / 1e9);
  return /[\s()":]|^[<>*-]/.test(value) && !/^\*[^\s()":]+\*$/.test(value) ? `"${value.replaceAll('"', '')}"` : value;
}

/** @param {number} value @returns {string} without an exponent */
function plain(value) {
  return value.toFixed(9).replace(/\.?0+$/, '');
}

/** @param {string} text */
function unquoted(text) {
  return text.startsWith('"') && text.endsWith('"') && text.length > 1 ? text.slice(1, -1) : text;
}

/** @param {string} word @param {string[]} words @returns {string | null} the one that is at most two letters away */
export function nearest(word, words) {
  /** @type {string | null} */
  let best = null;
  let least = 3;
  for (const one of words) {
    const away = distance(word, one);
    if (away < least) [best, least] = [one, away];
  }
  return best;
}

/** @param {string} one @param {string} other @returns {number} letters to change */
function distance(one, other) {
  let row = Array.from({ length: other.length + 1 }, (_, place) => place);
  for (let place = 1; place <= one.length; place += 1) {
    const next = [place];
    for (let at = 1; at <= other.length; at += 1) {
      next[at] = Math.min(row[at] + 1, next[at - 1] + 1, row[at - 1] + (one[place - 1] === other[at - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[other.length];
}
