/**
 * Single calls: newest first, live when wanted, facets on one side and everything about one call on the other. `j` and `k`
 * go from one to the next.
 */
import { css, html, nothing } from '../vendor/lit-3.3.3.js';
import { Page, address, panel } from '../component/page.js';
import '../component/call-detail.js';
import '../component/facets.js';
import { ask } from '../lib/api.js';
import { COLUMNS, shownColumns, toggledColumns } from '../lib/call-column.js';
import { count, moment } from '../lib/format.js';
import { isSingleKey } from '../lib/keys.js';
import { listen } from '../lib/live.js';
import { Load } from '../lib/load.js';
import { scopeOf } from '../lib/question.js';
import { ownZone } from '../lib/range.js';

const MOST = 50;
/** New calls that are put on top of the list; of more the newest are asked for instead, so that no page has to draw thousands. */
const HELD = 100;
/** Rows that the list grows to by itself. */
const ROWS = 300;

class CallsPage extends Page {
  static properties = { _waiting: { state: true }, _isLive: { state: true }, _isChoosing: { state: true }, _isFaceted: { state: true } };

  static styles = [panel, css`
    .bar { display: flex; flex-wrap: wrap; gap: var(--tb-2); align-items: center; margin-bottom: var(--tb-3); }
    button { font: inherit; font-size: var(--tb-size-small); border: 1px solid var(--tb-line-strong); border-radius: var(--tb-radius); background: var(--tb-surface); color: var(--tb-text); padding: 0.3rem 0.8rem; cursor: pointer; min-height: 2.25rem; }
    button[aria-pressed='true'] { background: var(--tb-accent-soft); color: var(--tb-accent); }
    .two { display: grid; grid-template-columns: 13rem minmax(0, 1fr); gap: var(--tb-4); align-items: start; }
    .two.open { grid-template-columns: 13rem minmax(0, 1fr) minmax(22rem, 30rem); }
    .facets, aside { position: sticky; top: var(--tb-3); max-height: calc(100dvh - 2 * var(--tb-3)); overflow: auto; }
    .facets { padding: var(--tb-2) var(--tb-3); }
    .narrow { display: none; }
    .menu { position: relative; margin-left: auto; }
    .menu fieldset { position: absolute; right: 0; z-index: 2; margin: var(--tb-1) 0 0; display: grid; grid-template-columns: 1fr 1fr; gap: 0 var(--tb-4); padding: var(--tb-3); background: var(--tb-surface); border: 1px solid var(--tb-line-strong); border-radius: var(--tb-radius); box-shadow: 0 4px 16px rgb(0 0 0 / 20%); }
    .menu label { display: flex; gap: var(--tb-2); align-items: center; white-space: nowrap; min-height: 1.75rem; font-size: var(--tb-size-small); }
    .menu fieldset button { grid-column: 1 / -1; margin-top: var(--tb-2); }
    aside .close { float: right; }
    .scroll { overflow-x: auto; position: relative; }
    table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
    th, td { padding: 0.35rem 0.6rem; text-align: left; white-space: nowrap; font-weight: 400; border-bottom: 1px solid var(--tb-line); max-width: 16rem; overflow: hidden; text-overflow: ellipsis; }
    thead th { color: var(--tb-text-soft); font-size: var(--tb-size-small); }
    .number { text-align: right; }
    tr[aria-current] { background: var(--tb-accent-soft); }
    tbody tr:hover { background: var(--tb-sunken); }
    tbody a { color: var(--tb-text); text-decoration: none; }
    tbody a:hover { text-decoration: underline; }
    .bad { color: var(--tb-bad); }
    @media (max-width: 130rem) { .two.open .third { display: none; } }
    @media (max-width: 115rem) { .two.open { grid-template-columns: minmax(0, 1fr) minmax(22rem, 30rem); } .two.open .facets, .two.open .second { display: none; } .third { display: none; } th, td { padding: 0.35rem; font-size: var(--tb-size-small); } }
    @media (max-width: 75rem) { .narrow { display: inline-block; } .two, .two.open { grid-template-columns: minmax(0, 1fr); } .two:not(.wanted) .facets, .two.open .list { display: none; } .facets, aside { position: static; max-height: none; } }
    @media (max-width: 52rem) { .second { display: none; } }
    @media print { .facets { display: none; } .two { grid-template-columns: minmax(0, 1fr); } }
  `];

  constructor() {
    super();
    /** @type {Record<string, any>[]} */
    this._waiting = [];
    /** All that came since the list was asked for or added to. */
    this._came = 0;
    this._isLive = false;
    this._isChoosing = false;
    /** Whether the facets are wanted where there is no room beside the list. */
    this._isFaceted = false;
    /** @type {AbortController | null} */
    this._feed = null;
    this._question = '';
    this.load = new Load(this, (signal) => ask('/api/v1/calls', { params: { ...scopeOf(address.place.params, new Date()), limit: MOST }, signal }));
    this._keys = (/** @type {KeyboardEvent} */ event) => this.#key(event);
  }

  connectedCallback() {
    super.connectedCallback();
    window.addEventListener('keydown', this._keys);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    window.removeEventListener('keydown', this._keys);
    this.#listen(false);
    this.load.stop();
  }

  /** Which call, facets and columns are open is no new question. */
  reload() {
    const params = new URLSearchParams(address.place.params);
    for (const name of ['call', 'facets', 'columns']) params.delete(name);
    const question = params.toString();
    if (question !== this._question || this.load.value === null) {
      this._question = question;
      this.#forget();
      this.load.again();
      if (this._isLive) this.#listen(true);
    }
    this.requestUpdate();
  }

  render() {
    const open = address.get('call');
    return html`
      <tb-control heading="Calls"></tb-control>
      <div class="bar">
        <button aria-pressed=${this._isLive} @click=${() => this.#listen(!this._isLive)}>${this._isLive ? 'Live: pause' : 'Live'}</button>
        <button class="narrow" aria-pressed=${this._isFaceted} @click=${() => { this._isFaceted = !this._isFaceted; }}>Facets</button>
        <span role="status" aria-live="polite">${this._waiting.length ? html`<button @click=${() => this.#take()}>${count(this._came)} new</button>` : nothing}</span>
        <div class="menu" @keydown=${(/** @type {KeyboardEvent} */ event) => this.#leave(event)}><button aria-expanded=${this._isChoosing} aria-controls="columns" @click=${() => { this._isChoosing = !this._isChoosing; }}>Columns</button>
          ${this._isChoosing ? this.#choice() : nothing}</div>
      </div>
      <div class="two ${open ? 'open' : ''} ${this._isFaceted ? 'wanted' : ''}">
        <nav class="panel facets" aria-label="Facets"><tb-facets></tb-facets></nav>
        <div class="panel list">${this.shown(this.load, (value) => this.#list(value, open), 12)}</div>
        ${open ? html`<aside class="panel" aria-label="One call"><button class="close" aria-label="Close" @click=${() => this.#open(null)}>✕</button>
          <tb-call-detail .callId=${open} .zone=${this.#zone}></tb-call-detail></aside>` : nothing}
      </div>
    `;
  }

  get #zone() {
    return address.get('zone') ?? ownZone();
  }

  /** @param {{calls: Record<string, any>[], next: string | null}} value @param {string | null} open */
  #list(value, open) {
    if (!value.calls.length) return html`<tb-condition state="empty" heading="No calls"><p>Choose another time or fewer filters.</p></tb-condition>`;
    const columns = shownColumns(address.get('columns'));
    const kind = (/** @type {import('../lib/call-column.js').CallColumn} */ column) => `${column.isNumber ? 'number' : ''} ${column.rank ?? ''}`;
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Calls"><table>
      <thead><tr><th scope="col">Time</th>${columns.map((column) => html`<th scope="col" class=${kind(column)}>${column.label}</th>`)}</tr></thead>
      <tbody>${value.calls.map((call) => html`<tr aria-current=${call.call_id === open ? 'true' : nothing}>
        <th scope="row"><a href=${this.#href(call.call_id)} @click=${(/** @type {Event} */ event) => { event.preventDefault(); this.#open(call.call_id); }}>${moment(call.timestamp, this.#zone)}</a></th>
        ${columns.map((column) => html`<td class="${kind(column)} ${column.key === 'status' && call.status !== 'ok' ? 'bad' : ''}" title=${column.exact?.(call) ?? nothing}>${column.show(call)}</td>`)}</tr>`)}</tbody></table></div>
      ${value.next ? html`<p><button @click=${() => this.#more(value)}>Older calls</button></p>` : nothing}`;
  }

  /** What columns there are, those shown ticked. */
  #choice() {
    const told = address.get('columns');
    const shown = new Set(shownColumns(told).map((column) => column.key));
    return html`<fieldset id="columns"><legend class="hidden">Columns</legend>
      ${COLUMNS.map(({ key, label }) => html`<label><input type="checkbox" .checked=${shown.has(key)} @change=${() => this.#setColumns(toggledColumns(told, key))} />${label}</label>`)}
      <button @click=${() => this.#setColumns(null)}>As usual</button></fieldset>`;
  }

  /** @param {string | null} columns */
  #setColumns(columns) {
    address.set({ columns }, { replace: true });
    this.requestUpdate();
  }

  /** Escape closes the choice of columns and leads back to its button. @param {KeyboardEvent} event */
  #leave(event) {
    if (event.key !== 'Escape' || !this._isChoosing) return;
    event.stopPropagation();
    this._isChoosing = false;
    /** @type {HTMLElement | null} */ (this.renderRoot.querySelector('.menu button'))?.focus();
  }

  /** @param {string} id */
  #href(id) {
    const params = new URLSearchParams(address.place.params);
    params.set('call', id);
    return `/calls?${params}`;
  }

  /** @param {string | null} id */
  #open(id) {
    address.set({ call: id });
    this.requestUpdate();
  }

  /** @param {{calls: Record<string, any>[], next: string | null}} value */
  async #more(value) {
    const more = await ask('/api/v1/calls', { params: { ...scopeOf(address.place.params, new Date()), limit: MOST, cursor: value.next } });
    this.load.value = { calls: [...value.calls, ...more.calls], next: more.next };
    this.requestUpdate();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!isSingleKey(event)) return;
    const calls = this.load.value?.calls ?? [];
    const at = calls.findIndex((/** @type {any} */ call) => call.call_id === address.get('call'));
    if (event.key === 'j' && at + 1 < calls.length) this.#open(calls[at + 1].call_id);
    else if (event.key === 'k' && at > 0) this.#open(calls[at - 1].call_id);
    else if (event.key === 'Escape' && address.get('call')) this.#open(null);
  }

  /** @param {boolean} isOn */
  #listen(isOn) {
    this._feed?.abort();
    this._feed = null;
    this._isLive = isOn;
    if (!isOn) return;
    const feed = new AbortController();
    this._feed = feed;
    const params = new URLSearchParams();
    for (const kind of ['completed', 'failed']) params.append('kind', kind);
    for (const filter of /** @type {string[]} */ (scopeOf(address.place.params, new Date()).filter)) params.append('filter', filter);
    /** @type {Record<string, any>[]} */
    let heard = [];
    /** @type {number | null} */
    let drawing = null;
    listen(params, ({ data }) => {
      if (data.about !== 'call') return;
      this._came += 1;
      heard.push(data);
      if (heard.length > HELD) heard.shift();
      // A thousand a second are one change of the page every half second.
      drawing ??= window.setTimeout(() => {
        drawing = null;
        this._waiting = [...heard.reverse(), ...this._waiting].slice(0, HELD);
        heard = [];
      }, 500);
    }, () => undefined, feed.signal);
  }

  #take() {
    const known = new Set(this.load.value.calls.map((/** @type {any} */ call) => call.call_id));
    const fresh = this._waiting.filter((call) => !known.has(call.call_id));
    // Put on top of the list they would leave a gap below, or make it too long: then it begins anew.
    if (this._came > HELD || fresh.length + known.size > ROWS) this.load.again();
    else this.load.value = { ...this.load.value, calls: [...fresh, ...this.load.value.calls] };
    this.#forget();
  }

  #forget() {
    this._waiting = [];
    this._came = 0;
  }
}

customElements.define('tb-calls-page', CallsPage);
