/**
 * For elements in other people's pages: our design tokens under names of their own, and an answer as points of a chart.
 */
import { nameOf, stackedPoints } from './question.js';

/** Names that the elements had before they shared our tokens. */
const ALIASES = Object.freeze({ 'text-soft': 'soft' });

/**
 * `token.css` for a shadow root: each token is `--tb-embed-…` of the page where that is set. The page's `color-scheme` stays its own.
 * @param {string} css @returns {string}
 */
export function embedTokens(css) {
  return css
    .replaceAll(/\/\*[^]*?\*\//g, '')
    .replaceAll(/:root(\[[^\]]*\])/g, ':host($1)')
    .replaceAll(':root', ':host')
    .replaceAll(/(?<![\w-])color-scheme:[^;]*;/g, '')
    .replaceAll(/--tb-([\w-]+):\s*([^;]+);/g, (_, name, value) => `--tb-${name}: var(--tb-embed-${ALIASES[/** @type {keyof typeof ALIASES} */ (name)] ?? name}, ${value});`);
}

/**
 * @param {Record<string, any>} course the answer of `/api/v1/page/costs`
 * @returns {import('../component/chart.js').Point[]} billionths of the answer's currency, each day at its own rate; the largest series by name, the others as one
 */
export function coursePoints(course) {
  const rows = course.series.flatMap((/** @type {Record<string, any>} */ one) => {
    const by = Object.values(one.by).map(nameOf).join(', ') || 'cost';
    return one.points.map((/** @type {Record<string, any>} */ point) => ({ time: point.time, by, cost: typeof point.cost === 'number' ? Math.round(point.cost * 1e9) : null }));
  });
  return stackedPoints(rows, 'by', 'cost');
}
