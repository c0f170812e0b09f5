/**
 * What every page does: asks anew when the address changes, zooms when a chart is dragged, retries when told to.
 */
import { LitElement, css, html } from '../vendor/lit-3.3.3.js';
import { address } from './shell.js';
import { ApiError } from '../lib/api.js';
import './condition.js';
import './control.js';

export { address };

export const panel = css`
  :host { display: block; }
  tb-condition { margin-bottom: var(--tb-4); }
  .panel tb-condition { margin-bottom: 0; }
  .panel { background: var(--tb-surface); border: 1px solid var(--tb-line); border-radius: var(--tb-radius); padding: var(--tb-4); min-width: 0; }
  .grid { display: grid; gap: var(--tb-4); grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); margin-bottom: var(--tb-4); }
  .wide { grid-column: 1 / -1; }
  h2 { font-size: var(--tb-size); font-weight: 600; margin: 0 0 var(--tb-2); }
  a { color: var(--tb-accent); }
  .soft { color: var(--tb-text-soft); }
  .stale { opacity: 0.6; transition: opacity var(--tb-quick); }
  :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
  .hidden { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; white-space: nowrap; }
  @media print { button, select { display: none !important; } .scroll { overflow: visible !important; } .grid { grid-template-columns: 1fr 1fr; gap: var(--tb-2); } .panel { break-inside: avoid; border-color: #999; } }
`;

export class Page extends LitElement {
  static styles = [panel];

  constructor() {
    super();
    /** @type {import('../lib/load.js').Load[]} */
    this.loads = [];
    this._changed = () => this.reload();
    this.addEventListener('tb-retry', () => this.reload());
    this.addEventListener('tb-zoom', (event) => {
      const { from, to } = /** @type {CustomEvent<{from: Date, to: Date}>} */ (event).detail;
      address.set({ since: from.toISOString().slice(0, 16), until: to.toISOString().slice(0, 16), range: null });
    });
  }

  connectedCallback() {
    super.connectedCallback();
    address.addEventListener('change', this._changed);
    this.reload();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    address.removeEventListener('change', this._changed);
    for (const load of this.loads) load.stop();
  }

  reload() {
    for (const load of this.loads) load.again();
  }

  /** Whether another part of the page says the same already. @param {import('../lib/load.js').Load} load */
  #isTold(load) {
    const first = this.loads.find((one) => one.error && one.error.message === load.error?.message);
    return first !== undefined && first !== load;
  }

  /** @param {import('../lib/load.js').Load} load @param {(value: any) => unknown} show @param {number} [lines] of the skeleton */
  shown(load, show, lines = 5) {
    // The banner tells it once for the whole page, and has it loaded when the server is back.
    if (load.error instanceof ApiError && load.error.isOffline) return html`<p class="soft">Waiting for the server …</p>`;
    if (load.error && this.#isTold(load)) return html`<p class="soft">This could not be shown either.</p>`;
    if (load.error) return html`<tb-condition state="error" .error=${load.error}></tb-condition>`;
    if (load.value === null) return html`<tb-condition state="loading" .lines=${lines}></tb-condition>`;
    return html`<div class=${load.isLoading ? 'stale' : ''}>${show(load.value)}</div>`;
  }
}
