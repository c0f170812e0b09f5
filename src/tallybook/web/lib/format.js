/**
 * Figures as people read them: short on the screen, exact on hover and for screen readers.
 * Money is integer nano-USD in, unknown is null and never 0.
 */

/** @param {number | null | undefined} value a count @returns {string} `1.2M`, `950`, `–` */
export function count(value) {
  if (value === null || value === undefined) return '–';
  const size = Math.abs(value);
  if (size < 1_000) return String(Math.round(value));
  for (const [unit, name] of /** @type {const} */ ([[1e12, 'T'], [1e9, 'B'], [1e6, 'M'], [1e3, 'k']])) {
    // 999,950 is 1.0M and not 1000k.
    if (size >= unit * 0.99995 || unit === 1e3) {
      const part = value / unit;
      return `${Math.abs(part) < 99.95 ? part.toFixed(1).replace(/\.0$/, '') : Math.round(part)}${name}`;
    }
  }
  return String(value);
}

/** @param {number | null | undefined} value @returns {string} all digits, grouped */
export function exact(value) {
  return value === null || value === undefined ? 'unknown' : value.toLocaleString('en-US', { maximumFractionDigits: 9 });
}

/**
 * @param {number | null | undefined} nanousd
 * @param {{symbol?: string, rate?: number}} [currency] units of the currency for one USD
 * @returns {string} `$12.40`, `$0.0034`, `–`
 */
export function money(nanousd, { symbol = '$', rate = 1 } = {}) {
  if (nanousd === null || nanousd === undefined) return '–';
  const value = (nanousd / 1e9) * rate;
  const size = Math.abs(value);
  const sign = value < 0 ? '-' : '';
  if (size === 0) return `${symbol}0.00`;
  if (size >= 100_000) return `${sign}${symbol}${count(size)}`;
  if (size >= 0.995) return `${sign}${symbol}${size.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  const digits = Math.min(9, Math.max(2, 1 - Math.floor(Math.log10(size))));
  return `${sign}${symbol}${size.toFixed(digits).replace(/(\.\d\d\d*?)0+$/, '$1')}`;
}

/** @param {number | null | undefined} us microseconds @returns {string} `850µs`, `12ms`, `1.4s`, `3m 05s` */
export function duration(us) {
  if (us === null || us === undefined) return '–';
  if (us < 1_000) return `${Math.round(us)}µs`;
  if (us < 999_500) return `${us < 9_950 ? (us / 1e3).toFixed(1) : Math.round(us / 1e3)}ms`;
  if (us < 59_950_000) return `${(us / 1e6).toFixed(us < 9_950_000 ? 2 : 1)}s`;
  const seconds = Math.round(us / 1e6);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, '0')}s`;
  return `${Math.floor(seconds / 3_600)}h ${String(Math.floor((seconds % 3_600) / 60)).padStart(2, '0')}m`;
}

/** @param {number | null | undefined} share 0 to 1 @returns {string} */
export function percent(share) {
  if (share === null || share === undefined || Number.isNaN(share)) return '–';
  const value = share * 100;
  if (value !== 0 && Math.abs(value) < 0.1) return '<0.1%';
  return `${Math.abs(value) < 9.95 && value !== 0 ? value.toFixed(1).replace(/\.0$/, '') : Math.round(value)}%`;
}

/**
 * How a figure moved against the period before; nothing where it did not.
 * @param {number | null | undefined} now @param {number | null | undefined} before
 * @returns {string} `+12%`, `−3.4%`, `×14`, `new`, empty where nothing can be said
 */
export function change(now, before) {
  if (now === null || now === undefined || before === null || before === undefined) return '';
  if (now === before) return '';
  if (before === 0) return 'new';
  if (before > 0 && now / before >= 10) return `×${count(now / before)}`;
  const share = (now - before) / before;
  const text = percent(Math.abs(share));
  return `${share < 0 ? '−' : '+'}${text}`;
}

/** @param {string} iso ISO 8601, UTC @param {string} zone IANA name @returns {string} `2026-11-26 14:03:11` */
export function moment(iso, zone) {
  const parts = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit',
  });
  return parts.format(new Date(iso));
}
