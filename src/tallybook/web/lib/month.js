/**
 * The month so far: what was spent, where it leads at the pace of late, and what is left of a budget.
 */

/** Whole days that the pace is taken of. */
export const PACE_DAYS = 7;
/** Below this many whole days nothing is foretold. */
export const LEAST_DAYS = 3;

/** @typedef {{spent: number | null, pace: number | null, paceDays: number, forecast: number | null, daysLeft: number, name: string}} Month nano-USD; `pace` is of a day */

/**
 * @param {Record<string, any>[]} rows days with `time` (`2026-11-03`) and `cost_nanousd`, this month's and those before it
 * @param {string} today local, `2026-11-26` @returns {Month}
 */
export function monthOf(rows, today) {
  const month = today.slice(0, 7);
  const day = Number(today.slice(8, 10));
  const days = new Date(Date.UTC(Number(today.slice(0, 4)), Number(today.slice(5, 7)), 0)).getUTCDate();
  /** @type {Map<string, number | null>} */
  const known = new Map(rows.map((row) => [row.time, row.cost_nanousd]));
  const own = [...known].filter(([time, cost]) => time.startsWith(month) && cost !== null).map(([, cost]) => cost ?? 0);
  const first = [...known].filter(([, cost]) => cost !== null).map(([time]) => time).sort()[0];
  const whole = Array.from({ length: PACE_DAYS }, (_, number) => dayBefore(today, number + 1)).filter((time) => first !== undefined && time >= first);
  const spent = own.length ? own.reduce((sum, cost) => sum + cost, 0) : null;
  const paced = whole.length >= LEAST_DAYS ? whole.reduce((sum, time) => sum + (known.get(time) ?? 0), 0) / whole.length : null;
  // Of today is spent already what is spent; the pace holds for what is left of it only where it has cost less so far.
  const rest = paced === null ? null : Math.max(0, paced - (known.get(today) ?? 0)) + paced * (days - day);
  return {
    spent, pace: paced, paceDays: whole.length, forecast: rest === null || spent === null ? null : Math.round(spent + rest),
    daysLeft: days - day, name: new Date(`${month}-01T00:00:00Z`).toLocaleString('en-US', { month: 'long', year: 'numeric', timeZone: 'UTC' }),
  };
}

/** @param {string} day @param {number} back @returns {string} */
function dayBefore(day, back) {
  return new Date(Date.parse(`${day}T00:00:00Z`) - back * 86_400_000).toISOString().slice(0, 10);
}

/** @param {string} zone @param {Date} now @returns {string} the local day, `2026-11-26` */
export function todayIn(zone, now) {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(now);
}

/** @param {string | null} text USD, as it stands in the address @returns {number | null} nano-USD; null where it is no amount */
export function budgetOf(text) {
  const amount = Number((text ?? '').replaceAll(/[$,\s]/g, ''));
  return text && Number.isFinite(amount) && amount > 0 ? Math.round(amount * 1e9) : null;
}

/**
 * @param {Month} month @param {number | null} budget nano-USD
 * @returns {'none' | 'within' | 'tight' | 'over'} tight: the pace leads beyond it
 */
export function stateOf(month, budget) {
  if (budget === null || month.spent === null) return 'none';
  if (month.spent > budget) return 'over';
  return month.forecast !== null && month.forecast > budget ? 'tight' : 'within';
}
