/**
 * Cost by hour of the week in the viewer's zone: a table whose cells are shaded, so that it reads without seeing.
 */
import { LitElement, css, html } from '../vendor/lit-3.3.3.js';
import { money } from '../lib/format.js';
import { keyed } from '../lib/table.js';
import { headed, heading } from './csv.js';

const COLUMNS = keyed('day', 'hour', 'cost_nanousd');
const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

class Heat extends LitElement {
  static properties = { label: { type: String }, rows: { attribute: false }, zone: { type: String } };

  static styles = [headed, css`
    :host { display: block; }
    .scroll { overflow-x: auto; position: relative; }
    table { border-collapse: separate; border-spacing: 2px; width: 100%; min-width: 34rem; table-layout: fixed; }
    th { font-weight: 400; font-size: var(--tb-size-small); color: var(--tb-text-soft); padding: 0; }
    th:first-child { width: 2.75rem; }
    th[scope='row'] { width: 2.75rem; text-align: left; }
    td { padding: 0; height: 1.35rem; border-radius: 3px; background: color-mix(in oklab, var(--tb-accent) var(--share, 0%), var(--tb-sunken)); }
    span { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  `];

  constructor() {
    super();
    this.label = this.zone = '';
    /** @type {Record<string, any>[]} */
    this.rows = [];
  }

  updated() {
    const costs = this.#costs();
    const most = Math.max(1, ...[...costs.values()].map((cost) => cost ?? 0));
    this.renderRoot.querySelectorAll('td').forEach((cell) => {
      const share = (costs.get(/** @type {string} */ (cell.dataset.at)) ?? 0) / most;
      cell.style.setProperty('--share', share === 0 ? '0%' : `${8 + 92 * Math.sqrt(share)}%`);
    });
  }

  /** @returns {Map<string, number | null>} `null` where there were calls, and none of them with a known price */
  #costs() {
    return new Map(this.rows.map((row) => [`${row.day_of_week}-${row.hour_of_day}`, row.cost_nanousd ?? null]));
  }

  /** All hours of the week, those without calls too. */
  #lines() {
    const costs = this.#costs();
    return DAYS.flatMap((day, number) => Array.from({ length: 24 }, (_, hour) => {
      const at = `${number}-${hour}`;
      return { day, hour, cost_nanousd: costs.has(at) ? costs.get(at) : 0 };
    }));
  }

  render() {
    const costs = this.#costs();
    const hours = Array.from({ length: 24 }, (_, hour) => hour);
    return html`${heading(this.label, () => this.#lines(), COLUMNS, html` <small>(${this.zone})</small>`)}
      <div class="scroll" tabindex="0" role="region" aria-label=${this.label}><table aria-labelledby="name">
      <thead><tr><th scope="col"><span>Day</span></th>${hours.map((hour) => html`<th scope="col">${hour % 3 ? html`<span>${hour}</span>` : hour}</th>`)}</tr></thead>
      <tbody>${DAYS.map((day, number) => html`<tr><th scope="row">${day}</th>${hours.map((hour) => {
        const at = `${number}-${hour}`;
        const told = costs.get(at) === null ? 'no price known' : money(costs.get(at) ?? 0);
        return html`<td data-at=${at} title=${`${day} ${hour}:00, ${told}`}><span>${told}</span></td>`;
      })}</tr>`)}</tbody>
    </table></div>`;
  }
}

customElements.define('tb-heat', Heat);
