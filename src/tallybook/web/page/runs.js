/**
 * Runs: the list with search and filters, and the page of one run, which its address names.
 */
import { css, html, nothing } from '../vendor/lit-3.3.3.js';
import { Page, address, panel } from '../component/page.js';
import { controls } from '../component/run-style.js';
import '../component/run.js';
import { ask } from '../lib/api.js';
import { count, exact, moment, money } from '../lib/format.js';
import { Load } from '../lib/load.js';
import { ownZone } from '../lib/range.js';
import { FILTERS, SORTS, SOURCES, STATUSES, USUAL_SORT, isNarrowed, listParams, nameOf, runApi, runIdOf, runPath } from '../lib/run.js';

const WORDS = Object.freeze({ tag: 'Tag', project: 'Project', user: 'User' });
const TYPING_MS = 250;

class RunsPage extends Page {
  static properties = { _deleted: { state: true }, _failure: { state: true } };

  static styles = [panel, controls, css`
    h1 { font-size: 1.5rem; margin: 0 auto 0 0; }
    .bar { margin-bottom: var(--tb-3); }
    .search { flex: 1 1 16rem; min-width: 0; }
    .short { width: 8rem; }
    .undo { background: var(--tb-accent-soft); border-radius: var(--tb-radius); padding: var(--tb-2) var(--tb-4); margin-bottom: var(--tb-3); }
    .scroll { overflow-x: auto; position: relative; }
    table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
    th, td { padding: 0.35rem 0.6rem; text-align: left; font-weight: 400; border-bottom: 1px solid var(--tb-line); white-space: nowrap; max-width: 14rem; overflow: hidden; text-overflow: ellipsis; }
    thead th { color: var(--tb-text-soft); font-size: var(--tb-size-small); }
    tbody tr:hover { background: var(--tb-sunken); }
    th.name { width: 100%; max-width: 0; min-width: 14rem; } /* All that the others leave, and no more. */
    th.name a { color: var(--tb-text); text-decoration: none; font-weight: 600; }
    th.name a:hover { text-decoration: underline; }
    .tags { display: block; color: var(--tb-text-soft); font-size: var(--tb-size-small); overflow: hidden; text-overflow: ellipsis; }
    td.star { padding: 0; width: 2.5rem; }
    .number { text-align: right; }
    @media (max-width: 88rem) { .fourth { display: none; } }
    @media (max-width: 75rem) { .third { display: none; } }
    @media (max-width: 52rem) { .second { display: none; } th.name { min-width: 9rem; } }
  `];

  constructor() {
    super();
    /** @type {Record<string, any> | null} the run that can be taken out of the bin again */
    this._deleted = null;
    this._failure = '';
    /** @type {string | null} */
    this._question = null;
    /** @type {number | undefined} */
    this._typing = undefined;
    this.list = new Load(this, (signal) => ask('/api/v1/runs', { params: listParams(address.place.params), signal }));
    this.loads = [this.list];
    this.addEventListener('tb-deleted', (event) => {
      this._deleted = /** @type {CustomEvent} */ (event).detail.run;
      address.go('/runs');
    });
    this.addEventListener('tb-retry', () => this.#again());
  }

  connectedCallback() {
    this._question = null;
    super.connectedCallback();
  }

  reload() {
    const id = runIdOf(address.place.path);
    const isOther = this._id !== undefined && id !== this._id;
    this._id = id;
    const question = id === null ? String(new URLSearchParams(/** @type {any} */ (Object.entries(listParams(address.place.params))))) : null;
    if (question !== null && question !== this._question) this.list.again();
    this._question = question;
    this.requestUpdate();
    if (isOther) this.#begin();
  }

  /** The list and a run are pages of their own to who goes from one to the other. */
  async #begin() {
    await this.updateComplete;
    const frame = this.getRootNode();
    if (frame instanceof ShadowRoot) /** @type {HTMLElement | null} */ (frame.querySelector('main'))?.focus();
    window.scrollTo(0, 0);
  }

  #again() {
    if (this._question !== null) this.list.again();
  }

  render() {
    const id = runIdOf(address.place.path);
    if (id !== null) return html`<tb-run .runId=${id}></tb-run>`;
    const { params } = address.place;
    return html`
      <div class="row bar"><h1>Runs</h1>${this.#sort(params)}</div>
      ${this.#filters(params)}
      <div role="status">${this._deleted ? html`<div class="row undo"><span>“${nameOf(this._deleted)}” is in the bin.</span><button class="small" @click=${() => this.#undo()}>Undo</button></div>` : nothing}</div>
      <p class="bad" role="alert">${this._failure}</p>
      ${this.shown(this.list, (value) => (value.runs.length ? this.#table(value) : this.#empty(params)), 12)}
    `;
  }

  /** @param {URLSearchParams} params */
  #sort(params) {
    const sort = params.get('sort') ?? USUAL_SORT;
    return html`<label>Order <select @change=${(/** @type {Event} */ event) => this.#set('sort', valueOf(event) === USUAL_SORT ? '' : valueOf(event))}>
      ${Object.entries(SORTS).map(([name, label]) => html`<option value=${name} .selected=${name === sort}>${label}</option>`)}</select></label>`;
  }

  /** @param {URLSearchParams} params */
  #filters(params) {
    return html`<form class="row bar" role="search" @submit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <input class="search" type="search" aria-label="Search runs" placeholder="Name, description, tag or message" .value=${params.get('text') ?? ''} @input=${this.#type} @search=${this.#type} />
      <label>Status <select @change=${(/** @type {Event} */ event) => this.#set('status', valueOf(event))}>${['', ...STATUSES].map((one) => html`<option value=${one} .selected=${one === (params.get('status') ?? '')}>${one || 'any'}</option>`)}</select></label>
      <label>Source <select @change=${(/** @type {Event} */ event) => this.#set('source_type', valueOf(event))}>${['', ...SOURCES].map((one) => html`<option value=${one} .selected=${one === (params.get('source_type') ?? '')}>${one || 'any'}</option>`)}</select></label>
      ${Object.entries(WORDS).map(([name, label]) => html`<label>${label} <input class="short" .value=${params.getAll(name).join(', ')} @change=${(/** @type {Event} */ event) => this.#several(name, valueOf(event))} /></label>`)}
      <label><input type="checkbox" .checked=${params.get('starred') === 'true'} @change=${(/** @type {Event} */ event) => this.#set('starred', isChecked(event) ? 'true' : '')} />Starred</label>
      <label><input type="checkbox" .checked=${params.get('deleted') === 'true'} @change=${(/** @type {Event} */ event) => this.#set('deleted', isChecked(event) ? 'true' : '')} />Bin</label>
      ${isNarrowed(params) ? html`<button type="button" @click=${this.#clear}>Clear</button>` : nothing}
    </form>`;
  }

  /** @param {URLSearchParams} params */
  #empty(params) {
    if (isNarrowed(params)) return html`<tb-condition state="empty" heading=${params.get('deleted') ? 'The bin holds no such run' : 'No run is like that'}><p><button @click=${this.#clear}>Show all runs</button></p></tb-condition>`;
    return html`<tb-condition state="empty" heading="No runs yet"><p>A run is a conversation, an agent's work, a workflow: whatever groups calls. It appears by itself once calls name one:</p>
      <p><code>with tallybook.run("nightly report"): …</code>, <code>run_id</code> in <code>POST /api/ai-usage</code>, or a trace sent over OpenTelemetry. <code>tallybook.runs.create(…)</code> makes one with messages and tasks.</p></tb-condition>`;
  }

  /** @param {{runs: Record<string, any>[], cursor: string | null}} value */
  #table(value) {
    const zone = address.get('zone') ?? ownZone();
    return html`<div class="panel"><div class="scroll" tabindex="0" role="region" aria-label="Runs"><table>
      <thead><tr><th scope="col"><span class="hidden">Star</span></th><th scope="col">Name</th><th scope="col" class="fourth">Source</th><th scope="col" class="third">Project</th><th scope="col" class="third">User</th><th scope="col" class="second">Status</th>
        <th scope="col" class="number second">Calls</th><th scope="col" class="number second">Tokens</th><th scope="col" class="number">Cost</th><th scope="col" class="second">Last activity</th><th scope="col" class="second"><span class="hidden">Delete</span></th></tr></thead>
      <tbody>${value.runs.map((run) => this.#row(run, zone))}</tbody></table></div>
      ${value.cursor ? html`<p><button @click=${() => this.#more(value)}>More runs</button></p>` : nothing}</div>`;
  }

  /** @param {Record<string, any>} run @param {string} zone */
  #row(run, zone) {
    const name = nameOf(run);
    const cost = run.calls && run.cost_nanousd === null ? 'unpriced' : `${money(run.cost_nanousd)}${run.unpriced_calls ? '+' : ''}`;
    return html`<tr>
      <td class="star"><button class="star" aria-pressed=${String(run.is_starred)} aria-label=${`Star ${name}`} @click=${() => this.#star(run)}>${run.is_starred ? '★' : '☆'}</button></td>
      <th scope="row" class="name" title=${name}><a href=${runPath(run.run_id)}>${name}</a>${run.tags.length ? html`<span class="tags">${run.tags.join(' · ')}</span>` : nothing}</th>
      <td class="fourth">${run.source_type}</td><td class="third">${run.project ?? '–'}</td><td class="third">${run.user_id ?? '–'}</td>
      <td class="second">${run.open_task_count ? 'under way' : run.status}${run.errors ? html` <span class="bad">${count(run.errors)} failed</span>` : nothing}</td>
      <td class="number second" title=${exact(run.calls)}>${count(run.calls)}</td><td class="number second" title=${`${exact(run.input_tokens)} in, ${exact(run.output_tokens)} out`}>${count(run.total_tokens)}</td>
      <td class="number" title=${run.cost_nanousd === null ? 'unknown' : `${exact(run.cost_usd)} USD${run.unpriced_calls ? `, ${exact(run.unpriced_calls)} calls unpriced` : ''}`}>${cost}</td>
      <td class="second">${run.updated_at ? moment(run.updated_at, zone).slice(0, 16) : '–'}</td>
      <td class="second">${run.deleted_at
        ? html`<button class="small" aria-label=${`Restore ${name}`} @click=${() => this.#restore(run)}>Restore</button>`
        : html`<button class="small" aria-label=${`Delete ${name}`} @click=${() => this.#delete(run)}>Delete</button>`}</td></tr>`;
  }

  /** @param {Event} event */
  #type(event) {
    const text = valueOf(event);
    window.clearTimeout(this._typing);
    this._typing = window.setTimeout(() => address.set({ text: text.trim() || null }, { replace: true }), TYPING_MS);
  }

  /** @param {string} name @param {string} value */
  #set(name, value) {
    address.set({ [name]: value || null });
  }

  /** @param {string} name @param {string} text values separated by commas */
  #several(name, text) {
    address.set({ [name]: text.split(',').map((one) => one.trim()).filter(Boolean) });
  }

  #clear() {
    address.set(Object.fromEntries(FILTERS.map((name) => [name, null])));
  }

  /** @param {{runs: Record<string, any>[], cursor: string | null}} value */
  #more(value) {
    return this.#doing(async () => {
      const more = await ask('/api/v1/runs', { params: listParams(address.place.params, value.cursor) });
      this.list.value = { runs: [...value.runs, ...more.runs], cursor: more.cursor };
    });
  }

  /** @param {Record<string, any>} run */
  #star(run) {
    return this.#doing(async () => {
      const fresh = await ask(runApi(run), { method: 'PATCH', body: { is_starred: !run.is_starred } });
      this.list.value = { ...this.list.value, runs: this.list.value.runs.map((/** @type {any} */ one) => (one.run_id === run.run_id ? fresh : one)) };
    });
  }

  /** @param {Record<string, any>} run */
  #delete(run) {
    return this.#doing(async () => {
      await ask(runApi(run), { method: 'DELETE' });
      this._deleted = run;
      this.list.again();
    });
  }

  /** @param {Record<string, any>} run */
  #restore(run) {
    return this.#doing(async () => {
      await ask(`${runApi(run)}/restore`, { method: 'POST' });
      if (this._deleted?.run_id === run.run_id) this._deleted = null;
      this.list.again();
    });
  }

  #undo() {
    return this._deleted ? this.#restore(this._deleted) : undefined;
  }

  /** @param {() => Promise<void>} work */
  async #doing(work) {
    this._failure = '';
    try {
      await work();
    } catch (error) {
      this._failure = /** @type {Error} */ (error).message;
    }
    this.requestUpdate();
  }

  /** Put the cursor into the search: what `/` does. */
  search() {
    /** @type {HTMLInputElement | null} */ (this.renderRoot.querySelector('input[type=search]'))?.select();
  }
}

/** @param {Event} event */
function valueOf(event) {
  return /** @type {HTMLInputElement | HTMLSelectElement} */ (event.target).value;
}

/** @param {Event} event */
function isChecked(event) {
  return /** @type {HTMLInputElement} */ (event.target).checked;
}

customElements.define('tb-runs-page', RunsPage);
