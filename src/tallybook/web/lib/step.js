/**
 * The steps of a span of time, those too in which nothing happened: the server tells of the others alone.
 */
import { localDate } from './range.js';

/** @typedef {'hour' | 'day' | 'week' | 'month'} Grain */

const STEP_MS = Object.freeze({ hour: 3_600_000, day: 86_400_000, week: 604_800_000 });
/** Beyond so many nothing is filled in. */
const MOST = 3_000;

/**
 * @param {{since: string | null, until: string | null, timezone: string} | null} span of an answer @param {Grain} grain @param {Date} [now]
 * @returns {string[] | null} names of all steps up to now as answers have them, `2026-11-22` or `2026-11-22T14`; `null` where the span has no beginning, or too many
 */
export function stepsOf(span, grain, now = new Date()) {
  if (!span?.since) return null;
  const end = span.until === null ? now.getTime() : Math.min(Date.parse(span.until) - 1, now.getTime());
  const last = localDate(new Date(end).toISOString(), span.timezone).getTime();
  const names = [];
  for (let at = begin(localDate(span.since, span.timezone), grain); at.getTime() <= last; at = next(at, grain)) {
    if (names.length >= MOST) return null;
    names.push(at.toISOString().slice(0, grain === 'hour' ? 13 : 10));
  }
  return names;
}

/**
 * @template {Record<string, any>} Row
 * @param {Row[]} rows with `time` @param {string[] | null} names of all steps @param {Record<string, 0>} nothing what a step without calls comes to
 * @returns {Row[]} a row for each step; none where there was none at all
 */
export function filled(rows, names, nothing) {
  if (names === null || !rows.length) return rows;
  const known = new Map(rows.map((row) => [row.time, row]));
  return names.map((time) => known.get(time) ?? /** @type {Row} */ (/** @type {unknown} */ ({ time, ...nothing })));
}

/** @param {Date} at local, as if it were UTC @param {Grain} grain @returns {Date} the beginning of its step */
function begin(at, grain) {
  if (grain === 'month') return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), 1));
  if (grain === 'hour') return new Date(Math.floor(at.getTime() / STEP_MS.hour) * STEP_MS.hour);
  const day = Math.floor(at.getTime() / STEP_MS.day) * STEP_MS.day;
  return new Date(grain === 'week' ? day - ((at.getUTCDay() + 6) % 7) * STEP_MS.day : day); // Weeks begin on Monday.
}

/** @param {Date} at @param {Grain} grain @returns {Date} */
function next(at, grain) {
  if (grain === 'month') return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1));
  return new Date(at.getTime() + STEP_MS[grain]);
}
