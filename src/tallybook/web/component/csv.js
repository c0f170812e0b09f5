/**
 * The button that hands figures out as a file, which every chart and every table has, and the heading that it stands in.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import { csv, save } from '../lib/table.js';

/** Styles of `heading`. */
export const headed = css`
  .head { display: flex; align-items: center; gap: var(--tb-2); margin-bottom: var(--tb-2); }
  h2 { font-size: var(--tb-size); font-weight: 600; margin: 0 auto 0 0; }
`;

/**
 * What is shown below, by the id `name`, and its figures as a file.
 * @param {string} label @param {Csv['rows']} rows @param {import('../lib/table.js').Column[]} columns @param {unknown} [more] beside the label
 */
export const heading = (label, rows, columns, more = nothing) => html`<div class="head"><h2 id="name">${label}${more}</h2><tb-csv label=${label} .rows=${rows} .columns=${columns}></tb-csv></div>`;

class Csv extends LitElement {
  static properties = { label: { type: String }, rows: { attribute: false }, columns: { attribute: false } };

  static styles = css`
    button { font: inherit; font-size: var(--tb-size-small); font-weight: 400; color: var(--tb-text-soft); background: none; border: 1px solid var(--tb-line); border-radius: 4px; padding: 0.15rem 0.5rem; cursor: pointer; min-height: 1.75rem; }
    :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
    @media print { :host { display: none; } }
  `;

  constructor() {
    super();
    /** Of what the figures are: the file's name. */
    this.label = '';
    /** @type {Record<string, any>[] | (() => Record<string, any>[])} asked for when they are wanted */
    this.rows = [];
    /** @type {import('../lib/table.js').Column[]} */
    this.columns = [];
  }

  render() {
    return html`<button aria-label=${`CSV: ${this.label}`} @click=${() => this.#save()}>CSV</button>`;
  }

  #save() {
    const rows = typeof this.rows === 'function' ? this.rows() : this.rows;
    save(`${this.label.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '-')}.csv`, csv(rows, this.columns), 'text/csv');
  }
}

customElements.define('tb-csv', Csv);
