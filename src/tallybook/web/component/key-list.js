/**
 * Access keys: who may write, read and rule. A new one is shown once.
 */
import { css, html, nothing } from '../vendor/lit-3.3.3.js';
import { Section, form } from './section.js';
import { ask } from '../lib/api.js';
import { moment } from '../lib/format.js';
import { Load } from '../lib/load.js';
import { ownZone } from '../lib/range.js';
import { isoOf } from '../lib/setting.js';

class KeyList extends Section {
  static properties = { ...Section.properties, _made: { state: true }, _copied: { state: true }, _revoking: { state: true } };

  static styles = [form, css`
    .made { border: 2px solid var(--tb-accent); border-radius: var(--tb-radius); padding: var(--tb-4); margin: var(--tb-3) 0; background: var(--tb-accent-soft); }
    .made code { display: block; font-size: var(--tb-size); margin-bottom: var(--tb-3); user-select: all; }
    dialog { border: 1px solid var(--tb-line-strong); border-radius: var(--tb-radius); background: var(--tb-raised); color: var(--tb-text); box-shadow: var(--tb-shadow); padding: var(--tb-5); max-width: min(28rem, calc(100vw - 2rem)); }
    dialog::backdrop { background: rgb(0 0 0 / 35%); }
  `];

  constructor() {
    super();
    /** @type {Record<string, any> | null} */
    this._made = null;
    this._copied = '';
    /** @type {Record<string, any> | null} */
    this._revoking = null;
    this.load = new Load(this, (signal) => ask('/api/v1/keys', { signal }));
  }

  render() {
    return html`<h2 id="keys">Access keys</h2>
      <p class="soft">On this machine no key is asked for. Any other address needs one, sent as <code>Authorization: Bearer …</code>.</p>
      ${this.shown(({ keys }) => this.#table(keys))}
      ${this._made ? this.#shownOnce(this._made) : nothing}
      <form aria-label="Make a key" @submit=${(/** @type {SubmitEvent} */ event) => this.#make(event)}>
        <label>May<select name="role"><option value="ingest">record (ingest)</option><option value="read">read</option><option value="admin">do everything (admin)</option></select></label>
        <label>Only in the project<input name="project" autocomplete="off" placeholder="all" maxlength="200" /></label>
        <label>Name<input name="name" autocomplete="off" maxlength="200" /></label>
        <button class="first">Make a key</button>
      </form>
      ${this.problem()}
      <dialog aria-labelledby="revoke" @close=${() => { this._revoking = null; }}>
        <h3 id="revoke">Revoke ${this._revoking?.name ?? this._revoking?.key_id}?</h3>
        <p>Whoever uses it is refused within two seconds. It cannot be taken back.</p>
        <form method="dialog"><button autofocus>Keep it</button><button class="danger" type="button" @click=${() => this.#revoke()}>Revoke</button></form>
      </dialog>`;
  }

  /** @param {Record<string, any>[]} keys */
  #table(keys) {
    if (!keys.length) return html`<p>There is none yet.</p>`;
    const told = (/** @type {number | null} */ us) => (us === null ? '–' : moment(isoOf(us) ?? '', ownZone()).slice(0, 16));
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Access keys"><table aria-labelledby="keys">
      <thead><tr><th scope="col">Key</th><th scope="col">May</th><th scope="col">Project</th><th scope="col" class="second">Made</th><th scope="col" class="second">Last used</th><th scope="col">State</th></tr></thead>
      <tbody>${keys.map((key) => html`<tr><th scope="row">${key.name ?? html`<code>${key.key_id}</code>`}</th><td>${key.role}</td><td>${key.project ?? 'all'}</td>
        <td class="nowrap second">${told(key.created_at_us)}</td><td class="nowrap second">${told(key.last_used_at_us)}</td>
        <td>${key.revoked_at_us === null
          ? html`<button class="danger" aria-label=${`Revoke ${key.name ?? key.key_id}`} @click=${() => this.#ask(key)}>Revoke</button>`
          : html`<span class="soft">revoked ${told(key.revoked_at_us)}</span>`}</td></tr>`)}</tbody></table></div>`;
  }

  /** @param {Record<string, any>} made */
  #shownOnce(made) {
    return html`<div class="made" role="group" aria-label="The new key"><p><b>This is shown once.</b> Only its fingerprint is kept.</p>
      <code>${made.key}</code>
      <button @click=${() => this.#copy(made.key)}>Copy</button> <button @click=${() => { this._made = null; this._copied = ''; }}>I have it</button>
      <span role="status">${this._copied}</span></div>`;
  }

  /** @param {SubmitEvent} event */
  async #make(event) {
    event.preventDefault();
    const place = /** @type {HTMLFormElement} */ (event.target);
    const given = new FormData(place);
    const own = (/** @type {string} */ name) => String(given.get(name)).trim() || null;
    this._copied = '';
    const isMade = await this.attempt(async () => {
      this._made = await ask('/api/v1/keys', { method: 'POST', body: { role: own('role'), project: own('project'), name: own('name') } });
    });
    if (!isMade) return;
    place.reset();
    await this.load?.again();
    await this.updateComplete;
    /** @type {HTMLElement | null} */ (this.renderRoot.querySelector('.made button'))?.focus();
  }

  /** @param {string} text */
  async #copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      this._copied = 'Copied';
    } catch {
      this._copied = 'The browser does not let this page copy: select the key and copy it.';
    }
  }

  /** @param {Record<string, any>} key */
  async #ask(key) {
    this._revoking = key;
    await this.updateComplete;
    /** @type {HTMLDialogElement} */ (this.renderRoot.querySelector('dialog')).showModal();
  }

  async #revoke() {
    const key = this._revoking;
    /** @type {HTMLDialogElement} */ (this.renderRoot.querySelector('dialog')).close();
    if (!key) return;
    await this.attempt(() => ask(`/api/v1/keys/${encodeURIComponent(key.key_id)}`, { method: 'DELETE' }));
    await this.load?.again();
  }
}

customElements.define('tb-key-list', KeyList);
