/**
 * Cost by hour of the week in the viewer's zone: a table whose cells are shaded, so that it reads without seeing.
 */
import { LitElement, css, html } from '../vendor/lit-3.3.3.js';
import { money } from '../lib/format.js';

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

class Heat extends LitElement {
  static properties = { label: { type: String }, rows: { attribute: false }, zone: { type: String } };

  static styles = css`
    :host { display: block; }
    .scroll { overflow-x: auto; position: relative; }
    table { border-collapse: separate; border-spacing: 2px; width: 100%; min-width: 34rem; table-layout: fixed; }
    caption { text-align: left; font-weight: 600; padding-bottom: var(--tb-2); }
    th { font-weight: 400; font-size: var(--tb-size-small); color: var(--tb-text-soft); padding: 0; }
    th:first-child { width: 2.75rem; }
    th[scope='row'] { width: 2.75rem; text-align: left; }
    td { padding: 0; height: 1.35rem; border-radius: 3px; background: color-mix(in oklab, var(--tb-accent) var(--share, 0%), var(--tb-sunken)); }
    span { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  `;

  constructor() {
    super();
    this.label = this.zone = '';
    /** @type {Record<string, any>[]} */
    this.rows = [];
  }

  updated() {
    const costs = this.#costs();
    const most = Math.max(1, ...costs.values());
    this.renderRoot.querySelectorAll('td').forEach((cell) => {
      const share = (costs.get(/** @type {string} */ (cell.dataset.at)) ?? 0) / most;
      cell.style.setProperty('--share', share === 0 ? '0%' : `${8 + 92 * Math.sqrt(share)}%`);
    });
  }

  /** @returns {Map<string, number>} */
  #costs() {
    return new Map(this.rows.map((row) => [`${row.day_of_week}-${row.hour_of_day}`, row.cost_nanousd ?? 0]));
  }

  render() {
    const costs = this.#costs();
    const hours = Array.from({ length: 24 }, (_, hour) => hour);
    return html`<div class="scroll" tabindex="0" role="region" aria-label=${this.label}><table>
      <caption>${this.label} <small>(${this.zone})</small></caption>
      <thead><tr><th scope="col"><span>Day</span></th>${hours.map((hour) => html`<th scope="col">${hour % 3 ? html`<span>${hour}</span>` : hour}</th>`)}</tr></thead>
      <tbody>${DAYS.map((day, number) => html`<tr><th scope="row">${day}</th>${hours.map((hour) => {
        const cost = costs.get(`${number}-${hour}`) ?? 0;
        return html`<td data-at=${`${number}-${hour}`} title=${`${day} ${hour}:00, ${money(cost)}`}><span>${money(cost)}</span></td>`;
      })}</tr>`)}</tbody>
    </table></div>`;
  }
}

customElements.define('tb-heat', Heat);
