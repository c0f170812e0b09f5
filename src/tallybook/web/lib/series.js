/**
 * Points of a chart as lines of a table and of a file. Times are local, held as if they were UTC (`bucketDate`).
 */

/** @typedef {import('../component/chart.js').Point} Point */

/** The name of the series that the period before is given out as. */
export const BEFORE = 'period before';

const DAY_MS = 86_400_000;

/**
 * @param {Date} date @param {boolean} [isByDay] whether it is a day; else a midnight is taken for one
 * @returns {string} `2026-11-22`, `2026-11-22 14:00`, `2026-11-22 14:03:11`
 */
export function timeText(date, isByDay = date.getTime() % DAY_MS === 0) {
  const text = date.toISOString();
  return isByDay ? text.slice(0, 10) : `${text.slice(0, 10)} ${text.slice(11, text.slice(17, 19) === '00' ? 16 : 19)}`;
}

/** @param {Point[]} points @returns {boolean} whether all of them stand for whole days */
function isByDayOf(points) {
  return points.every((point) => point.x.getTime() % DAY_MS === 0);
}

/**
 * One line a point, those of the period before last, at the times that they are drawn at.
 * @param {Point[]} points @param {Point[]} previous @param {string} column what the figure is called
 * @returns {Record<string, any>[]}
 */
export function lineRows(points, previous, column) {
  const isByDay = isByDayOf(points);
  const line = (/** @type {Point} */ { x, y }, /** @type {string} */ series) => ({ time: timeText(x, isByDay), series, [column]: y });
  return [...points.map((point) => line(point, point.series)), ...previous.map((point) => line(point, BEFORE))];
}

/**
 * One row a time, with a figure for each series.
 * @param {Point[]} points @param {Point[]} previous
 * @returns {{names: string[], rows: [number, Map<string, number | null>][], isByDay: boolean}}
 */
export function timesOf(points, previous) {
  /** @type {Map<number, Map<string, number | null>>} */
  const rows = new Map();
  const all = [...points, ...previous.map((point) => ({ ...point, series: BEFORE }))];
  for (const point of all) {
    const at = point.x.getTime();
    const row = rows.get(at) ?? new Map();
    rows.set(at, row.set(point.series, point.y));
  }
  return { names: [...new Set(all.map((point) => point.series))], rows: [...rows], isByDay: isByDayOf(points) };
}
