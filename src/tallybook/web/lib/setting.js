/**
 * Settings, findings and prices as sentences and cells.
 */

/** @typedef {{name: string, variable: string, value: any, is_default: boolean}} Setting */

/** What the page tells of the settings, in groups. What is not named here stands in docs/settings.md alone. */
export const GROUPS = Object.freeze([
  { heading: 'What is recorded', names: ['enabled', 'prompts', 'responses', 'redact', 'redact_patterns', 'started', 'stream_usage', 'fsync'] },
  { heading: 'How long it is kept', names: ['retention_days', 'body_retention_days', 'storage_max_mb'] },
  { heading: 'What calls belong to', names: ['project', 'environment', 'user_id'] },
  { heading: 'How it is shown', names: ['timezone', 'currency', 'rates_file', 'prices_file'] },
  { heading: 'Where it goes', names: ['dir', 'url', 'key', 'ship', 'ship_keep', 'alert_webhook'] },
]);

const ABOUT = Object.freeze(/** @type {Record<string, string>} */ ({
  enabled: 'Recording', prompts: 'Prompts', responses: 'Responses', redact: 'Take keys, addresses and card numbers out of texts', redact_patterns: 'Further patterns taken out',
  started: 'Write a line when a call begins', stream_usage: 'Ask streams for their usage', fsync: 'Wait for the disk with each record',
  retention_days: 'Calls', body_retention_days: 'Prompts and responses', storage_max_mb: 'Size of the folder',
  project: 'Project of calls that name none', environment: 'Environment of calls that name none', user_id: 'User of calls that name none',
  timezone: 'Time zone', currency: 'Currency', rates_file: 'Exchange rates', prices_file: 'Own prices',
  dir: 'Folder', url: 'Sent to another server', key: 'Key for that server', ship: 'When it is sent', ship_keep: 'Kept here once it is there', alert_webhook: 'Alerts are posted to a webhook',
}));
const BODIES = Object.freeze(/** @type {Record<string, string>} */ ({ none: 'not kept', preview: 'the first 1,000 characters are kept', full: 'kept whole' }));

/** @param {string} name @returns {string} */
export function labelOf(name) {
  return ABOUT[name] ?? name;
}

/** @param {Setting} setting @returns {string} its value in words */
export function wordsOf({ name, value }) {
  if (name === 'prompts' || name === 'responses') return BODIES[value] ?? String(value);
  if (name === 'body_retention_days' && value === null) return 'as long as the calls';
  if (name.endsWith('_days')) return `${value} days, then “tallybook prune” may remove them; totals stay`;
  if (name === 'storage_max_mb') return `${value.toLocaleString('en-US')} MB, then “tallybook prune” may remove the oldest days; totals stay`;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.length ? value.join(', ') : 'none';
  return value === null ? 'not set' : String(value);
}

/** @param {number | null | undefined} picousd a token @returns {string} USD for a million tokens */
export function rate(picousd) {
  return picousd === null || picousd === undefined ? '–' : `$${(picousd / 1e6).toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 6 })}`;
}

const ORDER = ['bad', 'warn', 'note', 'good'];

/** @param {{grade: string}[]} findings @returns {any[]} the gravest first, else as they were found */
export function gravest(findings) {
  return [...findings].sort((one, other) => ORDER.indexOf(one.grade) - ORDER.indexOf(other.grade));
}

/** @param {{grade: string}[]} findings @returns {string} */
export function verdict(findings) {
  const count = (/** @type {string} */ grade) => findings.filter((one) => one.grade === grade).length;
  const parts = [[count('bad'), 'fault'], [count('warn'), 'warning']].filter(([number]) => number).map(([number, noun]) => `${number} ${noun}${number === 1 ? '' : 's'}`);
  return parts.length ? `${parts.join(' and ')}.` : 'Nothing is wrong.';
}

/** @param {number | null} us microseconds since 1970 @returns {string | null} ISO 8601 */
export function isoOf(us) {
  return us === null ? null : new Date(us / 1_000).toISOString();
}
