/**
 * Spans of time as people choose them and as the server is asked: relative ones stay relative in the address.
 */

import { moment } from './format.js';

/** @typedef {{days: number | null, since: string | null, until: string | null, label: string, grain: 'hour' | 'day' | 'week' | 'month'}} Span local days or moments */

export const RANGES = Object.freeze({
  '24h': { label: 'Last 24 hours', hours: 24, grain: 'hour' },
  '7d': { label: 'Last 7 days', days: 7, grain: 'day' },
  '30d': { label: 'Last 30 days', days: 30, grain: 'day' },
  '90d': { label: 'Last 90 days', days: 90, grain: 'week' },
  '1y': { label: 'Last year', days: 365, grain: 'month' },
});
export const DEFAULT_RANGE = '30d';

/** @returns {string} IANA name of the viewer's zone */
export function ownZone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
}

/**
 * @param {URLSearchParams} params of the address @param {Date} now @returns {Span}
 */
export function spanOf(params, now) {
  const since = params.get('since');
  if (since) {
    const until = params.get('until');
    const days = (Date.parse(until ?? now.toISOString()) - Date.parse(since)) / 86_400_000;
    return { days: null, since, until, label: until ? `${since} to ${until}` : `since ${since}`, grain: grainFor(days) };
  }
  const name = params.get('range') ?? DEFAULT_RANGE;
  const range = RANGES[/** @type {keyof typeof RANGES} */ (name)] ?? RANGES[DEFAULT_RANGE];
  return {
    // Whole local days, today the last of them: charts then have no half day at their beginning.
    days: 'days' in range ? range.days : null,
    since: 'hours' in range ? `${range.hours}h` : null,
    until: null,
    label: range.label,
    grain: /** @type {Span['grain']} */ (range.grain),
  };
}

/** @param {number} days @returns {Span['grain']} so that a chart has some dozens of steps */
export function grainFor(days) {
  if (!(days > 3)) return 'hour';
  if (days <= 62) return 'day';
  return days <= 400 ? 'week' : 'month';
}

/** @param {string} bucket `2026-11-22` or `2026-11-22T14`, local @returns {Date} as if it were UTC: charts draw local time */
export function bucketDate(bucket) {
  return new Date(bucket.length > 10 ? `${bucket}:00:00Z`.replace(/:00:00:00Z$/, ':00:00Z') : `${bucket}T00:00:00Z`);
}

/**
 * The steps of a chart that were dragged over, whole: a point of a line where it stands, a bar by its middle.
 * @param {Date[]} starts of the steps, in any order @param {Date} from @param {Date} to @param {boolean} isBar
 * @returns {{from: Date, to: Date} | null} from the first step's start to the last one's end; `null` where none was met
 */
export function stepsWithin(starts, from, to, isBar) {
  const times = [...new Set(starts.map((one) => one.getTime()))].sort((one, other) => one - other);
  const steps = times.slice(1).map((time, place) => time - times[place]);
  if (!steps.length) return null;
  const ends = [...times.slice(1), times[times.length - 1] + steps[steps.length - 1]];
  const met = times.map((time, place) => ({ time, end: ends[place] }))
    .filter(({ time, end }) => { const at = isBar ? (time + end) / 2 : time; return at >= from.getTime() && at <= to.getTime(); });
  return met.length ? { from: new Date(met[0].time), to: new Date(met[met.length - 1].end) } : null;
}

/** @param {string} iso @param {string} zone @returns {Date} local time as if it were UTC: charts draw local time */
export function localDate(iso, zone) {
  return new Date(Date.parse(`${moment(iso, zone).replace(' ', 'T')}Z`) + new Date(iso).getUTCMilliseconds());
}
