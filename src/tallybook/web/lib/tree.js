/**
 * A run's execution tree: from the interface's list of nodes to the lines that are drawn, repeats folded, and the keys of a tree.
 */

/** @typedef {Record<string, any>} Told a node as `/api/v1/runs/{id}/tree` gives it */
/** @typedef {Told & {children: Node[]}} Node */
/**
 * @typedef {object} Line
 * @property {string} key the first node's id
 * @property {Node[]} nodes one node, or several alike in one line
 * @property {number} depth 0 at the root
 * @property {number} place among its siblings' lines, from 1
 * @property {number} size how many lines its siblings are
 * @property {boolean} canOpen whether there is something in it
 * @property {boolean} isOpen
 */

/** As many like leaves in a row are one line; the command line folds the same. */
export const REPEATS = 4;

/** @param {Told[]} list parents before children @returns {Node[]} the roots */
export function forest(list) {
  /** @type {Map<string, Node>} */
  const known = new Map();
  /** @type {Node[]} */
  const roots = [];
  for (const told of list) {
    const node = /** @type {Node} */ ({ ...told, children: [] });
    known.set(node.id, node);
    (known.get(told.parent_id)?.children ?? roots).push(node);
  }
  return roots;
}

/** @param {Node} one @param {Node} other */
function areAlike(one, other) {
  return !one.children.length && !other.children.length && ['kind', 'name', 'model', 'status'].every((field) => one[field] === other[field]);
}

/** @param {Node[]} nodes @returns {Node[][]} like leaves in a row together, where they are enough */
export function folded(nodes) {
  /** @type {Node[][]} */
  const rows = [];
  for (const node of nodes) {
    const last = rows.at(-1);
    if (last && areAlike(last[0], node)) last.push(node);
    else rows.push([node]);
  }
  return rows.flatMap((row) => (row.length < REPEATS ? row.map((node) => [node]) : [row]));
}

/**
 * The lines that are drawn, in order, without recursion.
 * @param {Node[]} roots @param {Set<string>} turned keys of the lines that are not as they are at first: nodes open, folds closed
 * @returns {Line[]}
 */
export function linesOf(roots, turned) {
  /** @type {Line[]} */
  const lines = [];
  /** @type {Line[]} */
  const stack = [];
  /** @param {Node[][]} rows @param {number} depth */
  const push = (rows, depth) => {
    for (let number = rows.length - 1; number >= 0; number -= 1) {
      const nodes = rows[number];
      const isFold = nodes.length > 1;
      const canOpen = isFold || nodes[0].children.length > 0;
      const key = isFold ? `${nodes[0].id} ×` : nodes[0].id;
      stack.push({ key, nodes, depth, place: number + 1, size: rows.length, canOpen, isOpen: canOpen && turned.has(key) === isFold });
    }
  };
  push(folded(roots), 0);
  for (let line = stack.pop(); line; line = stack.pop()) {
    lines.push(line);
    if (line.isOpen) push(line.nodes.length > 1 ? line.nodes.map((node) => [node]) : folded(line.nodes[0].children), line.depth + 1);
  }
  return lines;
}

/**
 * What a line says. Sums are marked: over a node and all below it, or over the nodes of a fold; own figures where there is a call.
 * @param {Line} line
 */
export function figures({ nodes }) {
  const [first] = nodes;
  const isSum = nodes.length > 1 || first.children.length > 0;
  const add = (/** @type {string} */ field) => nodes.reduce((sum, node) => sum + (node[field] ?? 0), 0);
  const calls = add('calls');
  const unpriced = add('unpriced_calls');
  const own = nodes.length === 1 && first.kind === 'call' && isSum ? { input: first.input_tokens, output: first.output_tokens, cost: first.cost_nanousd } : null;
  return {
    isSum, calls, unpriced, own,
    input: calls ? add('sum_input_tokens') : null,
    output: calls ? add('sum_output_tokens') : null,
    cost: calls > unpriced ? add('sum_cost_nanousd') : null,
    /** The time of one node; of a fold the sum of what is known. */
    duration_ms: nodes.every((node) => node.duration_ms === null) ? null : add('duration_ms'),
  };
}

/** Bars that the waterfall draws at most for a fold: beyond, one from first to last. */
const BARS = 40;

/** @typedef {{place: (ms: number) => number, idle_ms: number}} Clock where a moment after the run's begin stands, from 0 to 1; what is left out */

/** Idle time is left out where it is more than this share of the run: a chat of one day would be a row of dots. */
const IDLE = 0.4;
/** What is left of each pause that is cut, as a share of the time at work, and of all of them together. */
const PAUSE = 0.02;
const PAUSES = 0.25;

/**
 * The time axis of a run. Where it mostly waited, long pauses between calls and steps are cut short.
 * @param {Told[]} nodes @param {number | null} total milliseconds of the run @returns {Clock}
 */
export function clockOf(nodes, total) {
  const whole = total ?? 0;
  const straight = { place: (/** @type {number} */ ms) => (whole > 0 ? Math.min(1, Math.max(0, ms / whole)) : 0), idle_ms: 0 };
  const outer = new Set(nodes.map((node) => node.parent_id));
  const spans = nodes.filter((node) => !outer.has(node.id)).map((node) => ({ from: node.offset_ms, until: node.offset_ms + (node.duration_ms ?? 0) })).sort((one, other) => one.from - other.from);
  /** @type {{from: number, until: number}[]} */
  const busy = [];
  for (const span of spans) {
    const last = busy.at(-1);
    if (last && span.from <= last.until) last.until = Math.max(last.until, span.until);
    else busy.push({ ...span });
  }
  const worked = busy.reduce((sum, { from, until }) => sum + until - from, 0);
  if (!worked) return straight;
  const most = worked * Math.min(PAUSE, PAUSES / busy.length);
  let idle = 0;
  let before = 0;
  /** @type {{from: number, until: number, cut: number}[]} pauses that are cut, and all that was cut before each */
  const pauses = [];
  for (const { from, until } of [...busy, { from: whole, until: whole }]) {
    if (from - before > most) {
      pauses.push({ from: before + most, until: from, cut: idle });
      idle += from - before - most;
    }
    before = Math.max(before, until);
  }
  if (idle < whole * IDLE) return straight;
  const place = (/** @type {number} */ ms) => {
    let low = 0;
    let high = pauses.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (pauses[middle].from <= ms) low = middle + 1;
      else high = middle;
    }
    const pause = pauses[low - 1];
    const cut = pause ? pause.cut + Math.min(ms, pause.until) - pause.from : 0;
    return Math.min(1, Math.max(0, (ms - cut) / (whole - idle)));
  };
  return { place, idle_ms: idle };
}

/**
 * Where a line lies on the axis, as shares from 0 to 1.
 * @param {Line} line @param {Clock} clock @returns {{from: number, size: number}[]}
 */
export function bars({ nodes }, { place }) {
  const spans = nodes.map((node) => ({ from: place(node.offset_ms), until: place(node.offset_ms + (node.duration_ms ?? 0)) }));
  if (spans.length > BARS) {
    const from = Math.min(...spans.map((one) => one.from));
    return [{ from, size: Math.max(...spans.map((one) => one.until)) - from }];
  }
  return spans.map(({ from, until }) => ({ from, size: until - from }));
}

/** @param {Line} line @returns {string} `×14 search`, `agent planner` */
export function labelOf({ nodes }) {
  const [node] = nodes;
  const name = node.name || node.kind;
  if (nodes.length > 1) return `×${nodes.length} ${name}`;
  return node.kind === 'call' || node.kind === 'chain' || node.kind === name ? name : `${node.kind} ${name}`;
}

/**
 * What a key does in a tree, by the pattern for trees: up, down, home, end move; right opens or goes in, left closes or goes out.
 * @param {Line[]} lines @param {string} at key of the line in focus @param {string} pressed
 * @returns {{to: string} | {turn: string} | null}
 */
export function keyed(lines, at, pressed) {
  const place = lines.findIndex((line) => line.key === at);
  if (place < 0) return null;
  const line = lines[place];
  const to = (/** @type {Line | undefined} */ other) => (other && other.key !== at ? { to: other.key } : null);
  switch (pressed) {
    case 'ArrowDown': return to(lines[place + 1]);
    case 'ArrowUp': return to(lines[place - 1]);
    case 'Home': return to(lines[0]);
    case 'End': return to(lines.at(-1));
    case 'ArrowRight':
      if (!line.canOpen) return null;
      return line.isOpen ? to(lines[place + 1]) : { turn: line.key };
    case 'ArrowLeft':
      if (line.isOpen) return { turn: line.key };
      return to(lines.slice(0, place).findLast((other) => other.depth < line.depth));
    default: return null;
  }
}
