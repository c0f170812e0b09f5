/**
 * Parts of a whole: a ring for the eye, and the same figures as a table beside it, which is its key.
 */
import { LitElement, css, html, svg } from '../vendor/lit-3.3.3.js';
import { count, exact, percent } from '../lib/format.js';
import { arc, slices } from '../lib/share.js';
import { headed, heading } from './csv.js';

class Share extends LitElement {
  static properties = { label: { type: String }, noun: { type: String }, unit: { type: String }, parts: { attribute: false } };

  static styles = [headed, css`
    :host { display: block; }
    .two { display: flex; flex-wrap: wrap; gap: var(--tb-4); align-items: center; }
    .ring { flex: 0 1 13rem; min-width: 9rem; }
    .ring svg { display: block; width: 100%; height: auto; }
    path { stroke: var(--tb-surface); stroke-width: 0.02; }
    text { fill: var(--tb-text); font-size: 0.26px; font-weight: 650; text-anchor: middle; }
    text.soft { fill: var(--tb-text-soft); font-size: 0.15px; font-weight: 400; }
    table { flex: 1 1 14rem; border-collapse: collapse; font-variant-numeric: tabular-nums; }
    th, td { padding: 0.25rem 0.4rem; text-align: right; font-weight: 400; border-bottom: 1px solid var(--tb-line); }
    thead th { color: var(--tb-text-soft); font-size: var(--tb-size-small); }
    th:first-child { text-align: left; overflow-wrap: anywhere; }
    th svg { width: 0.75rem; height: 0.75rem; margin-right: var(--tb-2); vertical-align: -0.05rem; }
  `];

  constructor() {
    super();
    this.label = this.noun = this.unit = '';
    /** @type {{name: string, value: number}[]} */
    this.parts = [];
  }

  render() {
    const found = slices(this.parts);
    const total = found.reduce((sum, slice) => sum + slice.value, 0);
    const [first] = found;
    const told = first ? `${found.length} parts, the largest ${first.name} with ${percent(first.share)}. The table holds the figures.` : 'No figures.';
    return html`${heading(this.label, this.parts, this.#columns(total))}<div class="two">
      <div class="ring" role="img" aria-label=${`${this.label}. ${told}`}><svg viewBox="-1 -1 2 2" aria-hidden="true">
        ${found.map((slice, number) => svg`<path d=${arc(slice, 0.98, 0.6)} fill=${colour(slice, number)}><title>${`${slice.name}: ${percent(slice.share)}`}</title></path>`)}
        <text y="0.04">${count(total)}</text><text class="soft" y="0.25">${this.unit}</text></svg></div>
      <table aria-labelledby="name"><thead><tr><th scope="col">${this.noun}</th><th scope="col">${this.unit}</th><th scope="col">Share</th></tr></thead>
        <tbody>${found.map((slice, number) => html`<tr><th scope="row"><svg viewBox="0 0 8 8" aria-hidden="true"><rect width="8" height="8" rx="1.5" fill=${colour(slice, number)}></rect></svg>${slice.name}</th>
          <td title=${exact(slice.value)}>${count(slice.value)}</td><td>${percent(slice.share)}</td></tr>`)}</tbody></table>
    </div>`;
  }

  /** What the file has, in which every part has its name. @param {number} total @returns {import('../lib/table.js').Column[]} */
  #columns(total) {
    return [
      { key: 'name', label: this.noun }, { key: this.unit.toLowerCase(), label: this.unit, value: (part) => part.value },
      { key: 'share', label: 'Share', value: (part) => (total ? part.value / total : null) },
    ];
  }
}

/** @param {{isRest: boolean}} slice @param {number} number */
function colour(slice, number) {
  return slice.isRest || number > 6 ? 'var(--tb-series-rest)' : `var(--tb-series-${number + 1})`;
}

customElements.define('tb-share', Share);
