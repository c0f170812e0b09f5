/**
 * The row above every page: span of time, comparison, filters as chips and as text. It changes the address, nothing else.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import { address } from './shell.js';
import { RANGES, DEFAULT_RANGE, ownZone } from '../lib/range.js';
import { parse, print, printAll } from '../lib/filter.js';

class Control extends LitElement {
  static properties = { heading: { type: String }, _draft: { state: true }, _mistakes: { state: true } };

  static styles = css`
    :host { display: block; margin-bottom: var(--tb-5); }
    .row { display: flex; flex-wrap: wrap; gap: var(--tb-3); align-items: center; }
    h1 { font-size: 1.5rem; margin: 0; margin-right: auto; }
    label { font-size: var(--tb-size-small); color: var(--tb-text-soft); display: inline-flex; gap: var(--tb-2); align-items: center; }
    select, input { font: inherit; color: var(--tb-text); background: var(--tb-surface); border: 1px solid var(--tb-line-strong); border-radius: var(--tb-radius); padding: 0.3rem 0.6rem; min-height: 2.25rem; }
    form { flex: 1 1 22rem; display: flex; margin-top: var(--tb-3); }
    form input { width: 100%; font-family: var(--tb-mono); font-size: var(--tb-size-small); }
    form input[aria-invalid='true'] { border-color: var(--tb-bad); }
    .chips { display: flex; flex-wrap: wrap; gap: var(--tb-2); margin: var(--tb-2) 0 0; padding: 0; list-style: none; }
    .chips button { font: inherit; font-size: var(--tb-size-small); font-family: var(--tb-mono); border: 1px solid var(--tb-line); background: var(--tb-accent-soft); color: var(--tb-text); border-radius: 1rem; padding: 0.15rem 0.75rem; cursor: pointer; min-height: 1.75rem; }
    .bad { color: var(--tb-bad); font-size: var(--tb-size-small); margin: var(--tb-1) 0 0; }
    :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
    @media print { form, select, label { display: none; } }
  `;

  constructor() {
    super();
    this.heading = '';
    /** @type {string | null} what is being typed; null while the address says it all */
    this._draft = null;
    /** @type {import('../lib/filter.js').Mistake[]} */
    this._mistakes = [];
    this._update = () => { this._draft = null; this._mistakes = []; this.requestUpdate(); };
  }

  connectedCallback() {
    super.connectedCallback();
    address.addEventListener('change', this._update);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    address.removeEventListener('change', this._update);
  }

  /** Put the cursor into the filter: what `/` does. */
  search() {
    /** @type {HTMLInputElement | null} */ (this.renderRoot.querySelector('form input'))?.select();
  }

  render() {
    const { params } = address.place;
    const range = params.get('since') ? 'own' : (params.get('range') ?? DEFAULT_RANGE);
    const { terms } = parse(params.get('q') ?? '');
    return html`
      <div class="row">
        <h1>${this.heading}</h1>
        <label>Time
          <select @change=${(/** @type {Event} */ event) => this.#range(/** @type {HTMLSelectElement} */ (event.target).value)}>
            ${Object.entries(RANGES).map(([name, one]) => html`<option value=${name} ?selected=${name === range}>${one.label}</option>`)}
            ${range === 'own' ? html`<option value="own" selected>${params.get('since')}${params.get('until') ? ` to ${params.get('until')}` : ' on'}</option>` : nothing}
          </select></label>
        <label>Zone
          <select @change=${(/** @type {Event} */ event) => address.set({ zone: /** @type {HTMLSelectElement} */ (event.target).value || null })}>
            ${[...new Set([params.get('zone') ?? '', '', 'UTC'])].map((zone) => html`<option value=${zone} ?selected=${zone === (params.get('zone') ?? '')}>${zone || ownZone()}</option>`)}
          </select></label>
        <label><input type="checkbox" .checked=${params.get('compare') !== 'none'}
          @change=${(/** @type {Event} */ event) => address.set({ compare: /** @type {HTMLInputElement} */ (event.target).checked ? null : 'none' })} />Compare</label>
        <slot></slot>
      </div>
      <form role="search" @submit=${(/** @type {SubmitEvent} */ event) => { event.preventDefault(); this.#apply(); }}>
        <input type="search" aria-label="Filter" placeholder="model:gpt-4o -status:error latency:>2s cost:>0.01" spellcheck="false" autocomplete="off"
          .value=${this._draft ?? params.get('q') ?? ''} aria-invalid=${this._mistakes.length > 0} aria-describedby="mistakes"
          @input=${(/** @type {InputEvent} */ event) => { this._draft = /** @type {HTMLInputElement} */ (event.target).value; this._mistakes = []; }}
          @search=${() => this.#apply()} />
      </form>
      <div id="mistakes" role="alert">${this._mistakes.map((one) => html`<p class="bad">${one.message}</p>`)}</div>
      ${terms.length
        ? html`<ul class="chips" aria-label="Filters in force">${terms.map((term, number) => html`<li><button title="Remove this filter"
            aria-label=${`Remove the filter ${print(term)}`} @click=${() => address.set({ q: printAll(terms.filter((_, other) => other !== number)) || null })}>${print(term)} ×</button></li>`)}</ul>`
        : nothing}
    `;
  }

  /** @param {string} name */
  #range(name) {
    if (name !== 'own') address.set({ range: name === DEFAULT_RANGE ? null : name, since: null, until: null });
  }

  #apply() {
    const text = (this._draft ?? address.get('q') ?? '').trim();
    const { mistakes } = parse(text);
    this._mistakes = mistakes;
    if (!mistakes.length) address.set({ q: text || null });
  }
}

customElements.define('tb-control', Control);
