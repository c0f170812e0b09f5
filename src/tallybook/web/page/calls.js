/**
 * Single calls: newest first, live when wanted, everything about one beside the list. `j` and `k` go from one to the next.
 */
import { css, html, nothing } from '../vendor/lit-3.3.3.js';
import { Page, address, panel } from '../component/page.js';
import '../component/call-detail.js';
import { ask } from '../lib/api.js';
import { costExact, costText, modelOf } from '../lib/call.js';
import { ms } from '../lib/column.js';
import { count, exact, moment } from '../lib/format.js';
import { isSingleKey } from '../lib/keys.js';
import { listen } from '../lib/live.js';
import { Load } from '../lib/load.js';
import { scopeOf } from '../lib/question.js';
import { ownZone } from '../lib/range.js';

const MOST = 50;
const HELD = 500;

class CallsPage extends Page {
  static properties = { _waiting: { state: true }, _isLive: { state: true } };

  static styles = [panel, css`
    .bar { display: flex; flex-wrap: wrap; gap: var(--tb-2); align-items: center; margin-bottom: var(--tb-3); }
    button { font: inherit; font-size: var(--tb-size-small); border: 1px solid var(--tb-line-strong); border-radius: var(--tb-radius); background: var(--tb-surface); color: var(--tb-text); padding: 0.3rem 0.8rem; cursor: pointer; min-height: 2.25rem; }
    button[aria-pressed='true'] { background: var(--tb-accent-soft); color: var(--tb-accent); }
    .two { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--tb-4); align-items: start; }
    .two.open { grid-template-columns: minmax(0, 1fr) minmax(22rem, 30rem); }
    aside { position: sticky; top: var(--tb-3); max-height: calc(100dvh - 2 * var(--tb-3)); overflow: auto; }
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
    @media (max-width: 115rem) { .two.open .second, .two.open .third { display: none; } }
    @media (max-width: 75rem) { .two.open { grid-template-columns: minmax(0, 1fr); } .two.open .list { display: none; } aside { position: static; max-height: none; } .third { display: none; } }
    @media (max-width: 52rem) { .second { display: none; } }
  `];

  constructor() {
    super();
    /** @type {Record<string, any>[]} */
    this._waiting = [];
    this._isLive = false;
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

  /** Which call is open, and sorting, are no new question. */
  reload() {
    const params = new URLSearchParams(address.place.params);
    params.delete('call');
    const question = params.toString();
    if (question !== this._question || this.load.value === null) {
      this._question = question;
      this._waiting = [];
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
        <span role="status" aria-live="polite">${this._waiting.length ? html`<button @click=${() => this.#take()}>${count(this._waiting.length)} new</button>` : nothing}</span>
      </div>
      <div class="two ${open ? 'open' : ''}">
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
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Calls"><table>
      <thead><tr><th scope="col">Time</th><th scope="col">Model</th><th scope="col" class="second">What</th><th scope="col" class="third">Project</th><th scope="col" class="third">User</th>
        <th scope="col" class="number second">Input</th><th scope="col" class="number second">Output</th><th scope="col" class="number second">Took</th><th scope="col" class="number">Cost</th><th scope="col">Status</th></tr></thead>
      <tbody>${value.calls.map((call) => html`<tr aria-current=${call.call_id === open ? 'true' : nothing}>
        <th scope="row"><a href=${this.#href(call.call_id)} @click=${(/** @type {Event} */ event) => { event.preventDefault(); this.#open(call.call_id); }}>${moment(call.timestamp, this.#zone)}</a></th>
        <td title=${modelOf(call)}>${modelOf(call)}</td><td class="second">${call.name ?? call.operation}</td><td class="third">${call.metadata?.project ?? '–'}</td><td class="third">${call.user_id ?? '–'}</td>
        <td class="number second" title=${exact(call.tokens?.input)}>${count(call.tokens?.input)}</td><td class="number second" title=${exact(call.tokens?.output)}>${count(call.tokens?.output)}</td>
        <td class="number second">${ms(call.duration_ms)}</td><td class="number" title=${costExact(call)}>${costText(call)}</td>
        <td class=${call.status === 'ok' ? '' : 'bad'}>${call.status === 'ok' ? 'ok' : (call.error_type ?? call.status)}</td></tr>`)}</tbody></table></div>
      ${value.next ? html`<p><button @click=${() => this.#more(value)}>Older calls</button></p>` : nothing}`;
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
      heard.push(data);
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
    this.load.value = { ...this.load.value, calls: [...fresh, ...this.load.value.calls].slice(0, HELD) };
    this._waiting = [];
  }
}

customElements.define('tb-calls-page', CallsPage);
