/**
 * Rows of a table as they are sorted and exported: apart from how they are drawn.
 */

/**
 * @typedef {object} Column
 * @property {string} key of the row, or a name of its own where `value` is given
 * @property {string} label
 * @property {(row: Record<string, any>) => any} [value] what is sorted and exported; the row's `key` without it
 * @property {(value: any, row: Record<string, any>, zone: string) => string} [format] as it is shown, times in the zone
 * @property {(value: any, row: Record<string, any>) => string} [exact] for hover and screen readers, where it differs
 * @property {boolean} [isText] on the left, and sorted by the alphabet
 * @property {1 | 2 | 3} [rank] the higher, the sooner it is left out on narrow screens
 */

/** Columns of a file, which are called as their keys are. @param {...string} keys @returns {Column[]} */
export const keyed = (...keys) => keys.map((key) => ({ key, label: key }));

/** @param {Column} column @param {Record<string, any>} row */
export function valueOf(column, row) {
  return column.value ? column.value(row) : row[column.key];
}

/**
 * Sorted by a column; what is unknown stands last whichever way.
 * @param {Record<string, any>[]} rows @param {Column} column @param {boolean} isDescending
 */
export function sorted(rows, column, isDescending) {
  const known = (/** @type {any} */ value) => value !== null && value !== undefined && !Number.isNaN(value);
  return [...rows].sort((one, other) => {
    const [left, right] = [valueOf(column, one), valueOf(column, other)];
    if (!known(left) || !known(right)) return Number(known(right)) - Number(known(left));
    const order = typeof left === 'string' ? left.localeCompare(String(right)) : left - right;
    return isDescending ? -order : order;
  });
}

/** @param {string | null} text of the address: `cost_nanousd` or `-cost_nanousd` @param {Column[]} columns @param {string} usual */
export function orderOf(text, columns, usual) {
  const told = text && columns.some((column) => column.key === text.replace(/^-/, '')) ? text : usual;
  return { key: told.replace(/^-/, ''), isDescending: told.startsWith('-') };
}

/**
 * An amount as a spreadsheet adds it up: USD in decimal digits, exact to the nano.
 * @param {number | null | undefined} nanousd @returns {string} empty where it is unknown
 */
export function usd(nanousd) {
  if (nanousd === null || nanousd === undefined || Number.isNaN(nanousd)) return '';
  if (!Number.isSafeInteger(nanousd)) return (nanousd / 1e9).toFixed(12).replace(/\.?0+$/, '');
  const digits = String(Math.abs(nanousd)).padStart(10, '0');
  return `${nanousd < 0 ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/\.?0+$/, '');
}

/**
 * Columns whose keys end in `_nanousd` are given out as `_usd`.
 * @param {Record<string, any>[]} rows @param {Column[]} columns @returns {string} CSV by RFC 4180; no cell begins a formula
 */
export function csv(rows, columns) {
  const cell = (/** @type {any} */ value) => {
    let text = value === null || value === undefined ? '' : String(value);
    if (typeof value === 'string' && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const isMoney = columns.map((column) => column.key.endsWith('_nanousd'));
  const heads = columns.map((column) => cell(column.key.replace(/_nanousd$/, '_usd')));
  const lines = [heads, ...rows.map((row) => columns.map((column, place) => (isMoney[place] ? usd(valueOf(column, row)) : cell(valueOf(column, row)))))];
  return `${lines.map((line) => line.join(',')).join('\r\n')}\r\n`;
}

/** Hand a text to the browser as a file. @param {string} name @param {string} text @param {string} type */
export function save(name, text, type) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1_000);
}
