/**
 * Links by which anybody reads a run: made and shown once, listed, revoked.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import './condition.js';
import { controls } from './run-style.js';
import { ask } from '../lib/api.js';
import { moment } from '../lib/format.js';
import { Load } from '../lib/load.js';
import { endOf, linkOf, runApi, shareState } from '../lib/run.js';

class RunShare extends LitElement {
  static properties = { run: { attribute: false }, zone: { type: String }, _made: { state: true }, _told: { state: true }, _failure: { state: true } };

  static styles = [controls, css`
    :host { display: block; }
    h2 { font-size: var(--tb-size); margin: 0 0 var(--tb-2); }
    p { margin: 0 0 var(--tb-2); color: var(--tb-text-soft); }
    .made { background: var(--tb-accent-soft); border-radius: var(--tb-radius); padding: var(--tb-3); margin: var(--tb-3) 0; }
    .made input { flex: 1 1 16rem; font-family: var(--tb-mono); }
    ul { list-style: none; margin: var(--tb-3) 0 0; padding: 0; }
    li { border-top: 1px solid var(--tb-line); padding: var(--tb-2) 0; }
    li span:first-child { margin-right: auto; }
    .soft { color: var(--tb-text-soft); font-size: var(--tb-size-small); }
    :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
  `];

  constructor() {
    super();
    /** @type {Record<string, any>} */
    this.run = {};
    this.zone = 'UTC';
    /** @type {string} the new link, shown this once */
    this._made = '';
    this._told = '';
    this._failure = '';
    this.load = new Load(this, (signal) => ask(`${runApi(this.run)}/share`, { signal }));
    this.addEventListener('tb-retry', (event) => { event.stopPropagation(); this.load.again(); });
  }

  firstUpdated() {
    this.load.again();
  }

  render() {
    return html`<h2>Share by link</h2>
      <p>Whoever has the link reads the name, the sums and the messages; nothing of settings, people or costs.</p>
      <form class="row" @submit=${this.#create}>
        <label>For <input name="label" maxlength="100" placeholder="Ann, the review …" /></label>
        <label>Ends <select name="days"><option value="">never</option><option value="1">in a day</option><option value="7">in 7 days</option><option value="30">in 30 days</option></select></label>
        <button>Make a link</button>
      </form>
      <p class="bad" role="alert">${this._failure}</p>
      ${this._made ? html`<div class="made row"><input readonly aria-label="The new link, shown this once" .value=${this._made} @focus=${(/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.target).select()} />
        <button @click=${this.#copy}>Copy</button><span class="soft">It is shown this once.</span></div>` : nothing}
      <span role="status" class="soft">${this._told}</span>
      ${this.#list()}`;
  }

  #list() {
    if (this.load.error) return html`<tb-condition state="error" .error=${this.load.error}></tb-condition>`;
    if (!this.load.value) return html`<tb-condition state="loading" .lines=${2}></tb-condition>`;
    const now = new Date();
    return html`<ul aria-label="Links">${this.load.value.shares.map((/** @type {Record<string, any>} */ share) => {
      const state = shareState(share, now);
      return html`<li class="row"><span>${share.label ?? 'Link'} <span class="soft">made ${moment(share.created_at, this.zone)}${share.expires_at ? `, ends ${moment(share.expires_at, this.zone)}` : ''}</span></span>
        <span class="mark">${state}</span>${state === 'in force' ? html`<button class="small danger" aria-label=${`Revoke the link ${share.label ?? ''}`} @click=${() => this.#revoke(share)}>Revoke</button>` : nothing}</li>`;
    })}</ul>`;
  }

  /** @param {SubmitEvent} event */
  async #create(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const given = new FormData(form);
    await this.#doing(async () => {
      const made = await ask(`${runApi(this.run)}/share`, { method: 'POST', body: { label: String(given.get('label')).trim() || null, expires_at: endOf(String(given.get('days')), new Date()) } });
      this._made = linkOf(location.origin, made.path);
      this._told = 'The link is made.';
      form.reset();
    });
  }

  async #copy() {
    await this.#doing(async () => {
      await navigator.clipboard.writeText(this._made);
      this._told = 'Copied.';
    }, false);
  }

  /** @param {Record<string, any>} share */
  async #revoke(share) {
    await this.#doing(async () => {
      await ask(`${runApi(this.run)}/share/${share.share_id}`, { method: 'DELETE' });
      this._told = 'Revoked: the link shows nothing any more.';
      this._made = '';
    });
  }

  /** @param {() => Promise<void>} work @param {boolean} [isChange] */
  async #doing(work, isChange = true) {
    this._failure = '';
    try {
      await work();
      if (!isChange) return;
      this.load.again();
      this.dispatchEvent(new Event('tb-changed', { bubbles: true, composed: true }));
    } catch (error) {
      this._failure = /** @type {Error} */ (error).message;
    }
  }
}

customElements.define('tb-run-share', RunShare);
