/**
 * The head of a run's page: its name, star, tags and state, and what can be done with it. A change is told by `tb-changed`, a deletion
 * by `tb-deleted`.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import './run-share.js';
import { controls } from './run-style.js';
import { ask } from '../lib/api.js';
import { nameOf, runApi, withTags } from '../lib/run.js';

class RunHead extends LitElement {
  static properties = { run: { attribute: false }, zone: { type: String }, _isNaming: { state: true }, _isSharing: { state: true }, _failure: { state: true }, _told: { state: true } };

  static styles = [controls, css`
    :host { display: block; margin-bottom: var(--tb-4); }
    h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; min-width: 0; }
    .name { margin-right: auto; flex: 1 1 18rem; flex-wrap: nowrap; }
    .name form { flex: 1; display: flex; gap: var(--tb-2); }
    .name input { flex: 1; font-size: var(--tb-size-large); min-width: 0; }
    .under { margin-top: var(--tb-2); }
    ul { display: contents; list-style: none; }
    li { display: contents; }
    .tag { border-radius: 1rem; background: var(--tb-accent-soft); }
    .add { min-height: 1.75rem; width: 7.5rem; border-radius: 1rem; border-style: dashed; padding: 0.1rem 0.7rem; }
    .panel { border: 1px solid var(--tb-line); border-radius: var(--tb-radius); background: var(--tb-surface); padding: var(--tb-4); margin-top: var(--tb-3); }
    p { margin: var(--tb-2) 0 0; }
    p:empty { display: none; }
    .hidden { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
    :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
  `];

  constructor() {
    super();
    /** @type {Record<string, any>} */
    this.run = {};
    this.zone = 'UTC';
    this._isNaming = false;
    this._isSharing = false;
    this._failure = '';
    this._told = '';
  }

  render() {
    const { run } = this;
    return html`
      <div class="row">
        <div class="row name">
          <button class="star" aria-pressed=${String(run.is_starred)} aria-label="Starred" title="Star" @click=${() => this.#change({ is_starred: !run.is_starred }, run.is_starred ? 'The star is taken away.' : 'Starred.')}>${run.is_starred ? '★' : '☆'}</button>
          ${this._isNaming
            ? html`<form @submit=${this.#rename} @keydown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === 'Escape') this._isNaming = false; }}>
                <input name="name" aria-label="Name of the run" maxlength="200" required .value=${run.name ?? ''} /><button>Save</button><button type="button" @click=${() => { this._isNaming = false; }}>Cancel</button></form>`
            : html`<h1>${nameOf(run)}</h1>`}
        </div>
        ${this._isNaming ? nothing : html`<button @click=${this.#beginNaming}>Rename</button>`}
        ${run.status === 'active'
          ? html`<button @click=${() => this.#change({ status: 'completed' }, 'The run is completed.')}>Complete</button><button @click=${() => this.#change({ status: 'archived' }, 'The run is in the archive.')}>Archive</button>`
          : html`<button @click=${this.#resume}>Resume</button>${run.status === 'archived' ? nothing : html`<button @click=${() => this.#change({ status: 'archived' }, 'The run is in the archive.')}>Archive</button>`}`}
        <button aria-expanded=${String(this._isSharing)} @click=${() => { this._isSharing = !this._isSharing; }}>Share</button>
        <button class="danger" @click=${this.#delete}>Delete</button>
      </div>
      <div class="row under">
        <span class="mark">${run.status}</span><span class="mark">${run.source_type}</span>${run.visibility === 'private' ? nothing : html`<span class="mark">${run.visibility === 'link' ? 'shared by link' : 'seen by the project'}</span>`}
        ${run.tags.length ? html`<ul aria-label="Tags">${run.tags.map((/** @type {string} */ tag) => html`<li><button class="small tag" title="Remove this tag" aria-label=${`Remove the tag ${tag}`} @click=${() => this.#change({ remove_tags: [tag] }, `The tag ${tag} is removed.`)}>${tag} ×</button></li>`)}</ul>` : nothing}
        <form @submit=${this.#tag}><input class="add" name="tag" aria-label="Add a tag" placeholder="add a tag" maxlength="100" /></form>
      </div>
      <p class="bad" role="alert">${this._failure}</p>
      <span class="hidden" role="status">${this._told}</span>
      ${this._isSharing ? html`<section class="panel" aria-label="Share"><tb-run-share .run=${run} .zone=${this.zone}></tb-run-share></section>` : nothing}
    `;
  }

  async #beginNaming() {
    this._isNaming = true;
    await this.updateComplete;
    /** @type {HTMLInputElement | null} */ (this.renderRoot.querySelector('input[name=name]'))?.select();
  }

  /** @param {SubmitEvent} event */
  #rename(event) {
    event.preventDefault();
    const name = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get('name')).trim();
    this._isNaming = false;
    if (name && name !== this.run.name) this.#change({ name }, `The run is called ${name}.`);
  }

  /** @param {SubmitEvent} event */
  #tag(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const tags = withTags(String(new FormData(form).get('tag')), this.run.tags);
    form.reset();
    if (tags) this.#change({ add_tags: tags }, 'The tag is added.');
  }

  /** @param {Record<string, any>} fields @param {string} told */
  #change(fields, told) {
    return this.#doing(async () => {
      this.#tell(await ask(runApi(this.run), { method: 'PATCH', body: fields }), told);
    });
  }

  #resume() {
    return this.#doing(async () => {
      this.#tell(await ask(`${runApi(this.run)}/resume`, { method: 'POST' }), 'The run is active again.');
    });
  }

  #delete() {
    return this.#doing(async () => {
      await ask(runApi(this.run), { method: 'DELETE' });
      this.dispatchEvent(new CustomEvent('tb-deleted', { detail: { run: this.run }, bubbles: true, composed: true }));
    });
  }

  /** @param {Record<string, any>} run as it is now @param {string} told */
  #tell(run, told) {
    this.run = run;
    this._told = told;
    this.dispatchEvent(new Event('tb-changed', { bubbles: true, composed: true }));
  }

  /** @param {() => Promise<void>} work */
  async #doing(work) {
    this._failure = '';
    try {
      await work();
    } catch (error) {
      this._failure = /** @type {Error} */ (error).message;
    }
  }
}

customElements.define('tb-run-head', RunHead);
