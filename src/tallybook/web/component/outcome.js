/**
 * Uses by tool as bars: what went well, and hatched what failed. A name chooses its tool for the whole page.
 */
import { LitElement, css, html } from '../vendor/lit-3.3.3.js';
import { count, exact, percent } from '../lib/format.js';
import { keyed } from '../lib/table.js';
import { headed, heading } from './csv.js';

const COLUMNS = keyed('tool', 'uses', 'failures', 'success_rate');

class Outcome extends LitElement {
  static properties = { label: { type: String }, rows: { attribute: false }, chosen: { type: String } };

  static styles = [headed, css`
    :host { display: block; }
    table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; table-layout: fixed; }
    th, td { padding: 0.3rem 0.5rem; text-align: right; font-weight: 400; white-space: nowrap; }
    thead th { color: var(--tb-text-soft); font-size: var(--tb-size-small); border-bottom: 1px solid var(--tb-line); }
    th:first-child { text-align: left; padding-left: 0; width: 50%; }
    button { font: inherit; color: var(--tb-text); background: none; border: 0; padding: 0; cursor: pointer; text-align: left; max-width: 100%; overflow: hidden; text-overflow: ellipsis; display: block; min-height: 1.5rem; }
    button:hover, button[aria-pressed='true'] { color: var(--tb-accent); text-decoration: underline; }
    .bar { display: flex; height: 8px; background: var(--tb-sunken); border-radius: 2px; overflow: hidden; margin-top: 2px; }
    .bar i { display: block; height: 100%; background: var(--tb-series-1); }
    .bar b { display: block; height: 100%; background: repeating-linear-gradient(-45deg, var(--tb-bad), var(--tb-bad) 2px, var(--tb-surface) 2px, var(--tb-surface) 4px); }
    p { color: var(--tb-text-soft); font-size: var(--tb-size-small); margin: var(--tb-2) 0 0; }
    :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
    @media (max-width: 30rem) { .third { display: none; } }
  `];

  constructor() {
    super();
    this.label = this.chosen = '';
    /** @type {Record<string, any>[]} */
    this.rows = [];
  }

  updated() {
    // Widths by script and not by a style attribute, which the page's policy forbids.
    const most = Math.max(1, ...this.rows.map((row) => row.uses));
    this.renderRoot.querySelectorAll('.bar').forEach((bar, number) => {
      const row = this.rows[number];
      const [well, failed] = /** @type {HTMLElement[]} */ ([...bar.children]);
      well.style.width = `${(100 * Math.max(0, row.uses - row.failures)) / most}%`;
      failed.style.width = `${(100 * row.failures) / most}%`;
    });
  }

  render() {
    return html`${heading(this.label, this.rows, COLUMNS)}
      <table aria-labelledby="name">
      <thead><tr><th scope="col">Tool</th><th scope="col">Uses</th><th scope="col">Failed</th><th scope="col" class="third">Success</th></tr></thead>
      <tbody>${this.rows.map((row) => html`<tr>
        <th scope="row"><button aria-pressed=${row.tool === this.chosen} title=${row.tool} @click=${() => this.#choose(row.tool)}>${row.tool}</button><div class="bar"><i></i><b></b></div></th>
        <td title=${exact(row.uses)}>${count(row.uses)}</td><td title=${exact(row.failures)}>${count(row.failures)}</td><td class="third">${percent(row.success_rate)}</td></tr>`)}</tbody></table>
      <p>Plain: went well. Hatched: failed.</p>`;
  }

  /** @param {string} tool */
  #choose(tool) {
    this.dispatchEvent(new CustomEvent('tb-choose', { bubbles: true, composed: true, detail: tool === this.chosen ? null : tool }));
  }
}

customElements.define('tb-outcome', Outcome);
