/**
 * What stands in a place whose data are not there: loading, failed, offline, empty.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import { ApiError } from '../lib/api.js';

class Condition extends LitElement {
  static properties = { state: { type: String }, error: { attribute: false }, lines: { type: Number }, heading: { type: String } };

  static styles = css`
    :host { display: block; }
    .skeleton { display: grid; gap: var(--tb-3); padding: var(--tb-3) 0; }
    .skeleton i { height: 1rem; border-radius: 4px; background: linear-gradient(90deg, var(--tb-sunken), var(--tb-line), var(--tb-sunken)); background-size: 200% 100%; animation: move 1.6s linear infinite; }
    .skeleton i:nth-child(3n) { width: 60%; }
    .skeleton i:nth-child(3n + 1) { width: 85%; }
    @keyframes move { to { background-position: -200% 0; } }
    @media (prefers-reduced-motion: reduce) { .skeleton i { animation: none; } }
    .told { border: 1px solid var(--tb-line); border-radius: var(--tb-radius); padding: var(--tb-5); background: var(--tb-surface); }
    .told.bad { border-color: var(--tb-bad); }
    h2 { margin: 0 0 var(--tb-2); font-size: var(--tb-size-large); }
    p { margin: 0 0 var(--tb-2); color: var(--tb-text-soft); }
    button { font: inherit; padding: var(--tb-2) var(--tb-4); border-radius: var(--tb-radius); border: 1px solid var(--tb-line-strong); background: var(--tb-surface); color: var(--tb-text); cursor: pointer; min-height: 2.5rem; }
    :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
    .hidden { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  `;

  constructor() {
    super();
    this.state = 'loading';
    /** @type {Error | null} */
    this.error = null;
    this.lines = 5;
    this.heading = '';
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    if (changed.has('error') && this.error instanceof ApiError && this.error.status === 401) {
      this.dispatchEvent(new Event('tb-locked', { bubbles: true, composed: true }));
    }
  }

  render() {
    if (this.state === 'loading') {
      return html`<div class="skeleton" aria-hidden="true">${Array.from({ length: this.lines }, () => html`<i></i>`)}</div>
        <span class="hidden" role="status">Loading</span>`;
    }
    if (this.state === 'error') {
      const { error } = this;
      const isOffline = error instanceof ApiError && error.isOffline;
      return html`<div class="told bad" role="alert">
        <h2>${isOffline ? 'The server does not answer' : 'This could not be shown'}</h2>
        <p>${error?.message ?? ''}</p>
        ${error instanceof ApiError && error.hint ? html`<p>${error.hint}</p>` : nothing}
        <button @click=${() => this.dispatchEvent(new Event('tb-retry', { bubbles: true, composed: true }))}>Try again</button>
      </div>`;
    }
    return html`<div class="told"><h2>${this.heading || 'Nothing here yet'}</h2><slot></slot></div>`;
  }
}

customElements.define('tb-condition', Condition);
