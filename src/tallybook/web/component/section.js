/**
 * What every section of the settings has: a heading, a load, a table, forms.
 */
import { LitElement, css, html } from '../vendor/lit-3.3.3.js';
import './condition.js';

export const form = css`
  :host { display: block; }
  h2 { font-size: var(--tb-size-large); margin: 0 0 var(--tb-2); }
  h3 { font-size: var(--tb-size); margin: var(--tb-4) 0 var(--tb-1); }
  p { margin: 0 0 var(--tb-3); }
  a { color: var(--tb-accent); }
  .soft { color: var(--tb-text-soft); }
  .bad { color: var(--tb-bad); }
  .warn { color: var(--tb-warn); }
  .good { color: var(--tb-good); }
  .scroll { overflow-x: auto; position: relative; }
  table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
  caption { text-align: left; font-weight: 600; padding-bottom: var(--tb-2); }
  th, td { padding: 0.4rem 0.6rem; text-align: left; font-weight: 400; border-bottom: 1px solid var(--tb-line); vertical-align: top; }
  thead th { color: var(--tb-text-soft); font-size: var(--tb-size-small); }
  .number { text-align: right; white-space: nowrap; }
  .nowrap { white-space: nowrap; }
  code { font: var(--tb-size-small) var(--tb-mono); overflow-wrap: anywhere; }
  form { display: flex; flex-wrap: wrap; gap: var(--tb-3); align-items: end; margin: var(--tb-3) 0 0; }
  label { display: grid; gap: var(--tb-1); font-size: var(--tb-size-small); color: var(--tb-text-soft); }
  input, select { font: inherit; color: var(--tb-text); background: var(--tb-surface); border: 1px solid var(--tb-line-strong); border-radius: var(--tb-radius); padding: 0.3rem 0.6rem; min-height: 2.25rem; max-width: 100%; }
  button { font: inherit; border: 1px solid var(--tb-line-strong); border-radius: var(--tb-radius); background: var(--tb-surface); color: var(--tb-text); padding: 0.3rem 0.8rem; cursor: pointer; min-height: 2.25rem; }
  button.first { background: var(--tb-accent); color: var(--tb-on-accent); border-color: var(--tb-accent); }
  button.danger { color: var(--tb-bad); border-color: var(--tb-bad); }
  :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
  @media (max-width: 52rem) { .second { display: none; } th, td { padding-left: 0.3rem; padding-right: 0.3rem; } }
  @media print { form, button { display: none; } }
`;

export class Section extends LitElement {
  static properties = { _problem: { state: true } };

  static styles = [form];

  constructor() {
    super();
    this._problem = '';
    /** @type {import('../lib/load.js').Load | null} */
    this.load = null;
    this.addEventListener('tb-retry', (event) => { event.stopPropagation(); this.load?.again(); });
  }

  connectedCallback() {
    super.connectedCallback();
    this.load?.again();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.load?.stop();
  }

  /** @param {(value: any) => unknown} show @param {number} [lines] of the skeleton */
  shown(show, lines = 4) {
    const { load } = this;
    if (load?.error) return html`<tb-condition state="error" .error=${load.error}></tb-condition>`;
    if (!load || load.value === null) return html`<tb-condition state="loading" .lines=${lines}></tb-condition>`;
    return show(load.value);
  }

  /** Do what changes something; what goes wrong is told beside the form. @param {() => Promise<unknown>} work @returns {Promise<boolean>} */
  async attempt(work) {
    this._problem = '';
    try {
      await work();
      return true;
    } catch (error) {
      const { message, hint } = /** @type {import('../lib/api.js').ApiError} */ (error);
      this._problem = [message, hint].filter(Boolean).join(' – ');
      return false;
    }
  }

  problem() {
    return html`<p class="bad" role="alert">${this._problem}</p>`;
  }
}
