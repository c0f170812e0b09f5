/**
 * The banner of a server that does not answer: it asks by itself, and what the page shows is asked for anew when it is back.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import { connection } from '../lib/connection.js';

const RETRY_MS = 3_000;

class Offline extends LitElement {
  static properties = { _isOff: { state: true } };

  static styles = css`
    :host { display: block; position: sticky; top: 0; z-index: 8; }
    p { margin: 0 0 var(--tb-4); padding: var(--tb-3) var(--tb-4); background: var(--tb-warn-soft); color: var(--tb-text); border: 1px solid var(--tb-warn); border-radius: var(--tb-radius); }
    @media print { :host { display: none; } }
  `;

  constructor() {
    super();
    this._isOff = !connection.isOn;
    /** @type {number | null} */
    this._timer = null;
    this._changed = () => this.#update();
  }

  connectedCallback() {
    super.connectedCallback();
    connection.addEventListener('change', this._changed);
    this.#update();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    connection.removeEventListener('change', this._changed);
    if (this._timer !== null) clearInterval(this._timer);
  }

  #update() {
    const wasOff = this._isOff;
    this._isOff = !connection.isOn;
    if (this._isOff) this._timer ??= window.setInterval(() => this.#look(), RETRY_MS);
    else if (this._timer !== null) {
      clearInterval(this._timer);
      this._timer = null;
    }
    if (wasOff && !this._isOff) this.dispatchEvent(new Event('tb-back', { bubbles: true, composed: true }));
  }

  async #look() {
    try {
      connection.tell((await fetch('/healthz', { cache: 'no-store' })).status > 0);
    } catch {
      connection.tell(false); // Still not there: asked again in a moment.
    }
  }

  render() {
    return html`<div role="status">${this._isOff ? html`<p>The server does not answer. What is shown may be old. It is asked again every few seconds.</p>` : nothing}</div>`;
  }
}

customElements.define('tb-offline', Offline);
