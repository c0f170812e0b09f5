/**
 * The largest groups of a dimension as a table with bars: a click filters by one, or takes the filter away again.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import { address } from './shell.js';
import { change, count, exact, money, percent } from '../lib/format.js';
import { nameOf } from '../lib/question.js';
import { parse, printAll } from '../lib/filter.js';
import { keyed } from '../lib/table.js';
import { headed, heading } from './csv.js';

class Ranking extends LitElement {
  static properties = { label: { type: String }, by: { type: String }, pairs: { attribute: false }, whole: { attribute: false }, isCut: { type: Boolean } };

  static styles = [headed, css`
    :host { display: block; container-type: inline-size; }
    table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; table-layout: fixed; }
    th, td { padding: 0.3rem 0.25rem; text-align: right; font-weight: 400; white-space: nowrap; }
    thead th { color: var(--tb-text-soft); font-size: var(--tb-size-small); border-bottom: 1px solid var(--tb-line); }
    th:first-child { text-align: left; padding-left: 0; width: 36%; }
    td:last-child, th:last-child { padding-right: 0; }
    button { font: inherit; color: var(--tb-text); background: none; border: 0; padding: 0; cursor: pointer; text-align: left; max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; display: block; min-height: 1.5rem; }
    button:hover { color: var(--tb-accent); text-decoration: underline; }
    .bar { height: 4px; background: var(--tb-sunken); border-radius: 2px; overflow: hidden; margin-top: 2px; }
    .bar i { display: block; height: 100%; background: var(--tb-accent); }
    .soft { color: var(--tb-text-soft); font-size: var(--tb-size-small); }
    :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
    @container (max-width: 21rem) { .third { display: none; } th:first-child { width: 48%; } }
  `];

  constructor() {
    super();
    this.label = this.by = '';
    /** @type {{row: Record<string, any>, before: Record<string, any> | null}[]} */
    this.pairs = [];
    /** @type {number | null} nano-USD of all calls, those of groups that are not shown too */
    this.whole = null;
    this.isCut = false;
  }

  updated() {
    // Widths by script and not by a style attribute, which the page's policy forbids.
    const most = Math.max(1, ...this.pairs.map(({ row }) => row.cost_nanousd ?? 0));
    const hasCost = this.pairs.some(({ row }) => row.cost_nanousd);
    const mostCalls = Math.max(1, ...this.pairs.map(({ row }) => row.calls));
    this.renderRoot.querySelectorAll('.bar i').forEach((bar, number) => {
      const { row } = this.pairs[number];
      /** @type {HTMLElement} */ (bar).style.width = `${100 * (hasCost ? (row.cost_nanousd ?? 0) / most : row.calls / mostCalls)}%`;
    });
  }

  render() {
    const { whole } = this;
    if (!this.pairs.length) return html`<div class="head"><h2>${this.label}</h2></div><p class="soft">No calls in this time.</p>`;
    return html`${heading(this.label, this.pairs.map(({ row }) => row), keyed(this.by, 'calls', 'cost_nanousd', 'unpriced_calls'))}
      <table aria-labelledby="name">
      <thead><tr><th scope="col">${this.by.replace('_id', '').replaceAll('_', ' ')}</th><th scope="col">Cost</th><th scope="col" class="third">Share</th><th scope="col">Calls</th></tr></thead>
      <tbody>${this.pairs.map(({ row, before }) => html`<tr>
        <th scope="row"><button title=${nameOf(row[this.by])} @click=${() => this.#toggle(row[this.by])}>${nameOf(row[this.by])}</button><div class="bar"><i></i></div></th>
        <td title=${`${exact(row.cost_usd)} USD`}>${money(row.cost_nanousd)}${row.unpriced_calls ? html`<span class="soft" title=${`${exact(row.unpriced_calls)} calls unpriced`}>+</span>` : nothing}
          <div class="soft">${change(row.cost_nanousd, before?.cost_nanousd)}</div></td>
        <td class="third">${row.cost_nanousd === null ? '–' : percent(whole ? row.cost_nanousd / whole : null)}</td>
        <td title=${exact(row.calls)}>${count(row.calls)}</td></tr>`)}
      </tbody></table>
      ${this.isCut ? html`<p class="soft">The first ${this.pairs.length}.</p>` : nothing}`;
  }

  /** @param {string | null} value */
  #toggle(value) {
    const { terms } = parse(address.get('q') ?? '');
    const others = terms.filter((term) => term.field !== this.by);
    const isOn = terms.some((term) => term.field === this.by && term.op === 'eq' && term.values[0] === value);
    /** @type {import('../lib/filter.js').Term} */
    const chosen = value === null ? { field: this.by, op: 'missing', values: [] } : { field: this.by, op: 'eq', values: [value] };
    address.set({ q: printAll(isOn ? others : [...others, chosen]) || null });
  }
}

customElements.define('tb-ranking', Ranking);
