/**
 * A table that sorts by its heads and hands itself out as CSV. The order stands in the address under `sort`.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import { address } from './shell.js';
import { ownZone } from '../lib/range.js';
import { headed, heading } from './csv.js';
import { orderOf, sorted, valueOf } from '../lib/table.js';

class Table extends LitElement {
  static properties = { label: { type: String }, columns: { attribute: false }, rows: { attribute: false }, order: { type: String }, link: { attribute: false } };

  static styles = [headed, css`
    :host { display: block; }
    .scroll { overflow-x: auto; position: relative; }
    table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
    th, td { padding: 0.4rem 0.6rem; text-align: right; white-space: nowrap; font-weight: 400; border-bottom: 1px solid var(--tb-line); }
    tbody tr:hover { background: var(--tb-sunken); }
    .text { text-align: left; max-width: 18rem; overflow: hidden; text-overflow: ellipsis; }
    thead th { color: var(--tb-text-soft); font-size: var(--tb-size-small); vertical-align: bottom; }
    button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; min-height: 1.75rem; }
    th[aria-sort] button { color: var(--tb-text); font-weight: 600; }
    a { color: var(--tb-accent); }
    .hidden { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
    :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
    @media print { .scroll { overflow: visible; } thead { display: table-header-group; } tr { break-inside: avoid; } }
    @media (max-width: 75rem) { .rank-3 { display: none; } }
    @media (max-width: 52rem) { .rank-2 { display: none; } }
    @media (max-width: 34rem) { .rank-1 { display: none; } }
  `];

  constructor() {
    super();
    this.label = '';
    /** @type {import('../lib/table.js').Column[]} */
    this.columns = [];
    /** @type {Record<string, any>[]} */
    this.rows = [];
    this.order = '';
    /** @type {((row: Record<string, any>) => string) | null} where the first cell of a row leads */
    this.link = null;
  }

  render() {
    const { key, isDescending } = orderOf(address.get('sort'), this.columns, this.order);
    const column = this.columns.find((one) => one.key === key);
    const rows = column ? sorted(this.rows, column, isDescending) : this.rows;
    return html`
      ${heading(this.label, rows, this.columns)}
      <div class="scroll" tabindex="0" role="region" aria-label=${this.label}><table>
        <thead><tr>${this.columns.map((one) => html`<th scope="col" class=${kind(one)} aria-sort=${one.key === key ? (isDescending ? 'descending' : 'ascending') : nothing}>
          <button @click=${() => this.#sort(one, key, isDescending)}>${one.label}${one.key === key ? (isDescending ? ' ↓' : ' ↑') : nothing}</button></th>`)}</tr></thead>
        <tbody>${rows.map((row) => html`<tr>${this.columns.map((one, place) => this.#cell(one, row, place === 0))}</tr>`)}</tbody>
      </table></div>`;
  }

  /** @param {import('../lib/table.js').Column} column @param {Record<string, any>} row @param {boolean} isFirst */
  #cell(column, row, isFirst) {
    const value = valueOf(column, row);
    const shown = column.format ? column.format(value, row, address.get('zone') ?? ownZone()) : value === null || value === undefined ? '–' : String(value);
    const exact = column.exact ? column.exact(value, row) : nothing;
    const inside = isFirst && this.link ? html`<a href=${this.link(row)}>${shown}</a>` : shown;
    if (isFirst) return html`<th scope="row" class=${kind(column)} title=${exact === nothing ? shown : exact}>${inside}</th>`;
    if (exact === nothing) return html`<td class=${kind(column)}>${inside}</td>`;
    return html`<td class=${kind(column)} title=${exact}><span aria-hidden="true">${inside}</span><span class="hidden">${exact}</span></td>`;
  }

  /** @param {import('../lib/table.js').Column} column @param {string} key @param {boolean} isDescending */
  #sort(column, key, isDescending) {
    const descending = column.key === key ? !isDescending : !column.isText;
    const order = `${descending ? '-' : ''}${column.key}`;
    address.set({ sort: order === this.order ? null : order });
    this.requestUpdate();
  }
}

/** @param {import('../lib/table.js').Column} column */
function kind(column) {
  return `${column.isText ? 'text' : ''} ${column.rank ? `rank-${column.rank}` : ''}`;
}

customElements.define('tb-table', Table);
