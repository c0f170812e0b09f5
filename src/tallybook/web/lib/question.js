/**
 * From the address to the server's parameters, and from its answers to what charts and tables are drawn of.
 */
import { ask } from './api.js';
import { parse } from './filter.js';
import { PACE_DAYS, todayIn } from './month.js';
import { bucketDate, ownZone, spanOf } from './range.js';

/** @typedef {{columns: string[], rows: Record<string, any>[], previous: Record<string, any>[], coverage: Record<string, number>, compared_with: any, span: any, warnings: string[], is_cut: boolean}} Answer */

/**
 * What every question of a page has in common: span, zone, filters.
 * @param {URLSearchParams} params of the address @param {Date} now
 * @returns {Record<string, string | string[] | null>}
 */
export function scopeOf(params, now) {
  const span = spanOf(params, now);
  return {
    days: span.days === null ? null : String(span.days),
    since: span.since,
    until: span.until,
    timezone: params.get('zone') ?? ownZone(),
    filter: parse(params.get('q') ?? '').terms.map(({ field, op, values }) => `${field}:${op}:${values.join(',')}`),
  };
}

/**
 * The same address with another time: this month, and the days before it that a pace is taken of.
 * @param {URLSearchParams} params @param {Date} now @returns {URLSearchParams}
 */
export function monthScope(params, now) {
  const today = todayIn(params.get('zone') ?? ownZone(), now);
  const scope = new URLSearchParams(params);
  for (const name of ['range', 'until']) scope.delete(name);
  scope.set('since', new Date(Date.parse(`${today.slice(0, 7)}-01T00:00:00Z`) - PACE_DAYS * 86_400_000).toISOString().slice(0, 10));
  return scope;
}

/**
 * @param {URLSearchParams} address @param {{measures: string[], dimensions?: string[], interval?: string, limit?: number, order?: string, source?: string, filters?: string[], isCompared?: boolean}} question
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer>}
 */
export function query(address, { measures, dimensions, interval, limit, order, source, filters = [], isCompared = false }, signal) {
  const scope = scopeOf(address, new Date());
  return ask('/api/v1/query', {
    params: {
      ...scope,
      filter: [...(scope.filter ?? []), ...filters],
      measures: measures.join(','),
      dimensions: dimensions?.length ? dimensions.join(',') : null,
      interval, limit, order, source,
      compare: isCompared && address.get('compare') !== 'none' ? 'previous' : null,
    },
    signal,
  });
}

/**
 * Points of a series a column, or of a series a value of `by`.
 * @param {Record<string, any>[]} rows with `time` @param {string} column @param {string} label
 * @returns {import('../component/chart.js').Point[]}
 */
export function pointsOf(rows, column, label) {
  return rows.map((row) => ({ x: bucketDate(row.time), y: row[column] ?? null, series: label }));
}

/**
 * The period before, moved onto this one step by step.
 * @param {Record<string, any>[]} rows @param {Record<string, any>[]} previous @param {string} column
 * @returns {import('../component/chart.js').Point[]}
 */
export function movedPoints(rows, previous, column) {
  return previous.slice(0, rows.length).map((row, number) => ({ x: bucketDate(rows[number].time), y: row[column] ?? null, series: 'before' }));
}

/**
 * A series a group for the largest groups by what `column` adds up to, the others as one.
 * @param {Record<string, any>[]} rows with `time` and `by` @param {string} by @param {string} column @param {{most?: number, steps?: string[] | null}} [options] groups with a series of their own; all steps of the span
 * @returns {import('../component/chart.js').Point[]}
 */
export function stackedPoints(rows, by, column, { most = 6, steps = null } = {}) {
  /** @type {Map<string, number>} */
  const sums = new Map();
  for (const row of rows) sums.set(nameOf(row[by]), (sums.get(nameOf(row[by])) ?? 0) + (row[column] ?? 0));
  const largest = [...sums].sort((one, other) => other[1] - one[1]).slice(0, most).map(([name]) => name);
  /** @type {Map<string, import('../component/chart.js').Point>} */
  const points = new Map();
  const times = [...new Set([...(steps ?? []), ...rows.map((row) => row.time)])].sort();
  const names = sums.size > most ? [...largest, 'all others'] : largest;
  for (const name of names) for (const time of times) points.set(`${name}\n${time}`, { x: bucketDate(time), y: 0, series: name });
  /** Points of which some row tells a figure: a step with none is 0, one of which nothing is known is not. */
  const known = new Set();
  for (const row of rows) {
    const name = largest.includes(nameOf(row[by])) ? nameOf(row[by]) : 'all others';
    const point = points.get(`${name}\n${row.time}`);
    const value = row[column] ?? null;
    if (!point || (value === null && known.has(point))) continue;
    point.y = value === null ? null : known.has(point) ? (point.y ?? 0) + value : value;
    if (value !== null) known.add(point);
  }
  return [...points.values()];
}

/** @param {any} value @returns {string} a dimension's value as it is shown */
export function nameOf(value) {
  return value === null || value === undefined || value === '' ? 'not told' : String(value);
}

/**
 * Rows beside those of the period before with the same values of `by`.
 * @param {Answer} answer @param {string} by @returns {{row: Record<string, any>, before: Record<string, any> | null}[]}
 */
export function paired(answer, by) {
  const known = new Map(answer.previous.map((row) => [row[by], row]));
  return answer.rows.map((row) => ({ row, before: known.get(row[by]) ?? null }));
}
