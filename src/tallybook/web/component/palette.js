/**
 * The palette: type a few letters, go there. A modal dialog, so that the browser keeps the focus in and gives it back.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import { Load } from '../lib/load.js';
import { offersFor, pagesFor } from '../lib/palette.js';

const PAUSE_MS = 150;

class Palette extends LitElement {
  static properties = { pages: { attribute: false }, _text: { state: true }, _at: { state: true } };

  static styles = css`
    dialog { border: 1px solid var(--tb-line-strong); border-radius: var(--tb-radius); background: var(--tb-raised); color: var(--tb-text); box-shadow: var(--tb-shadow); padding: 0; width: min(38rem, calc(100vw - 2rem)); margin: 10vh auto auto; }
    dialog::backdrop { background: rgb(0 0 0 / 35%); }
    input { width: 100%; font: inherit; font-size: var(--tb-size-large); padding: var(--tb-4); border: 0; border-bottom: 1px solid var(--tb-line); border-radius: 0; background: transparent; color: inherit; outline: none; }
    input:focus-visible { box-shadow: inset 0 -2px var(--tb-focus); }
    ul { list-style: none; margin: 0; padding: var(--tb-2); max-height: min(24rem, 60vh); overflow: auto; }
    li { display: flex; gap: var(--tb-3); align-items: baseline; padding: var(--tb-2) var(--tb-3); border-radius: 4px; cursor: pointer; min-height: 2.25rem; }
    li[aria-selected='true'] { background: var(--tb-accent-soft); color: var(--tb-accent); }
    .label { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    .kind { margin-left: auto; color: var(--tb-text-soft); font-size: var(--tb-size-small); flex: none; }
    p { margin: 0; padding: 0 var(--tb-4) var(--tb-3); color: var(--tb-text-soft); font-size: var(--tb-size-small); min-height: 1.5rem; }
  `;

  constructor() {
    super();
    /** @type {readonly {path: string, label: string}[]} */
    this.pages = [];
    this._text = '';
    this._at = 0;
    /** @type {number | null} */
    this._pause = null;
    this.found = new Load(this, (signal) => offersFor(this._text, signal));
  }

  get #dialog() {
    return /** @type {HTMLDialogElement} */ (this.renderRoot.querySelector('dialog'));
  }

  get offers() {
    return [...pagesFor(this._text, this.pages), ...(this.found.value ?? [])];
  }

  open() {
    if (this.#dialog.open) return;
    this._text = '';
    this._at = 0;
    this.found.value = null;
    this.#dialog.showModal();
    this.found.again();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.found.stop();
  }

  render() {
    const { offers } = this;
    const at = Math.min(this._at, offers.length - 1);
    return html`<dialog aria-label="Go to" @close=${() => this.found.stop()} @click=${(/** @type {MouseEvent} */ event) => { if (event.target === this.#dialog) this.#dialog.close(); }}>
      <input role="combobox" aria-label="Page, model, project, user or call id" aria-expanded="true" aria-controls="offers" aria-autocomplete="list" aria-activedescendant=${at < 0 ? nothing : `offer-${at}`}
        placeholder="Page, model, project, user or call id" spellcheck="false" autocomplete="off" autofocus .value=${this._text}
        @input=${(/** @type {InputEvent} */ event) => this.#type(/** @type {HTMLInputElement} */ (event.target).value)} @keydown=${(/** @type {KeyboardEvent} */ event) => this.#key(event, at)} />
      <ul id="offers" role="listbox" aria-label="Where to">${offers.map((offer, number) => html`<li id=${`offer-${number}`} role="option" aria-selected=${number === at}
        @click=${() => this.#go(offer)} @pointermove=${() => { this._at = number; }}><span class="label">${offer.label}</span><span class="kind">${offer.kind}</span></li>`)}</ul>
      <p role="status">${this.found.error ? this.found.error.message : this.found.isLoading ? 'Looking …' : offers.length ? `${offers.length} places` : 'Nothing by that name in the last 90 days.'}</p>
    </dialog>`;
  }

  updated() {
    this.renderRoot.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  }

  /** @param {string} text */
  #type(text) {
    this._text = text;
    this._at = 0;
    if (this._pause !== null) clearTimeout(this._pause);
    this._pause = window.setTimeout(() => this.found.again(), PAUSE_MS);
    this.found.isLoading = true;
  }

  /** @param {KeyboardEvent} event @param {number} at */
  #key(event, at) {
    const { length } = this.offers;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + length, PageDown: Math.min(at + 8, length - 1), PageUp: Math.max(at - 8, 0) }[event.key];
    if (to !== undefined && length) this._at = to % length;
    else if (event.key === 'Enter' && at >= 0) this.#go(this.offers[at]);
    else return;
    event.preventDefault();
  }

  /** @param {import('../lib/palette.js').Offer} offer */
  #go(offer) {
    this.#dialog.close();
    this.dispatchEvent(new CustomEvent('tb-go', { bubbles: true, composed: true, detail: offer }));
  }
}

customElements.define('tb-palette', Palette);
