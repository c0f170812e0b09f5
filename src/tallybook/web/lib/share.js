/**
 * Parts of a whole as slices of a ring: the largest by name, the others as one.
 */

/** @typedef {{name: string, value: number, share: number, from: number, to: number, isRest: boolean}} Slice `from` and `to` in turns, 0 on top */

/**
 * @param {{name: string, value: number}[]} parts @param {number} [most] slices with a name of their own
 * @returns {Slice[]} largest first; what is 0 or less has no slice
 */
export function slices(parts, most = 7) {
  const known = parts.filter((part) => part.value > 0).sort((one, other) => other.value - one.value || one.name.localeCompare(other.name));
  const total = known.reduce((sum, part) => sum + part.value, 0);
  // One part more needs no "others".
  const named = known.length > most + 1 ? known.slice(0, most) : known;
  const rest = known.slice(named.length).reduce((sum, part) => sum + part.value, 0);
  let at = 0;
  return [...named.map((part) => ({ ...part, isRest: false })), ...(rest ? [{ name: `${known.length - named.length} others`, value: rest, isRest: true }] : [])].map((part) => {
    const from = at;
    at += part.value;
    return { ...part, share: part.value / total, from: from / total, to: at / total };
  });
}

/**
 * @param {{from: number, to: number}} slice @param {number} outer @param {number} inner radii
 * @returns {string} the path of a slice around 0,0
 */
export function arc({ from, to }, outer, inner) {
  // A whole turn begins where it ends and would be drawn as nothing.
  const end = Math.min(to, from + 0.99999);
  const isLong = end - from > 0.5 ? 1 : 0;
  const point = (/** @type {number} */ turn, /** @type {number} */ radius) => `${round(radius * Math.sin(turn * 2 * Math.PI))} ${round(-radius * Math.cos(turn * 2 * Math.PI))}`;
  return `M${point(from, outer)}A${outer} ${outer} 0 ${isLong} 1 ${point(end, outer)}L${point(end, inner)}A${inner} ${inner} 0 ${isLong} 0 ${point(from, inner)}Z`;
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 1_000) / 1_000;
}
