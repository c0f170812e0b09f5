/**
 * The facets beside the list of calls: values with their number of calls; a click filters by one, a second takes it back.
 * Only what stands open is asked for. Which are open stands in the address.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import { address } from './shell.js';
import { ApiError } from '../lib/api.js';
import { FACETS, MOST, besides, chosenOf, openOf, openText, toggled } from '../lib/facet.js';
import { parse } from '../lib/filter.js';
import { count, exact } from '../lib/format.js';
import { Load } from '../lib/load.js';
import { nameOf, query } from '../lib/question.js';

class Facets extends LitElement {
  static styles = css`
    :host { display: block; }
    section { border-bottom: 1px solid var(--tb-line); }
    section:last-child { border-bottom: 0; }
    h2 { margin: 0; font-size: var(--tb-size-small); }
    button { font: inherit; color: var(--tb-text); background: none; border: 0; padding: 0 var(--tb-1); cursor: pointer; text-align: left; display: flex; gap: var(--tb-2); width: 100%; min-height: 1.75rem; align-items: center; }
    h2 button { font-weight: 600; min-height: 2.25rem; }
    h2 button::after { content: '▸' / ''; margin-left: auto; color: var(--tb-text-soft); }
    h2 button[aria-expanded='true']::after { content: '▾' / ''; }
    ul { list-style: none; margin: 0 0 var(--tb-2); padding: 0; font-size: var(--tb-size-small); }
    li button { border-radius: 4px; }
    li button:hover { background: var(--tb-sunken); }
    li button[aria-pressed='true'] { background: var(--tb-accent-soft); color: var(--tb-accent); font-weight: 600; }
    .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    .calls { margin-left: auto; color: var(--tb-text-soft); font-variant-numeric: tabular-nums; }
    p { margin: 0 0 var(--tb-2); padding: 0 var(--tb-1); font-size: var(--tb-size-small); color: var(--tb-text-soft); }
    :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: -2px; }
  `;

  constructor() {
    super();
    /** @type {Map<string, {load: Load, asked: string}>} */
    this._facets = new Map(FACETS.map(({ field }) => [field, {
      asked: '',
      load: new Load(this, (signal) => query(besides(address.place.params, field), { measures: ['calls'], dimensions: [field], order: '-calls', limit: MOST }, signal)),
    }]));
    this._update = () => this.#update();
  }

  connectedCallback() {
    super.connectedCallback();
    address.addEventListener('change', this._update);
    this.#update();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    address.removeEventListener('change', this._update);
    for (const { load } of this._facets.values()) load.stop();
  }

  /** Ask anew what stands open and whose question has changed. */
  #update() {
    for (const field of openOf(address.place.params)) {
      const facet = this._facets.get(field);
      const params = besides(address.place.params, field);
      for (const name of ['call', 'facets', 'columns']) params.delete(name);
      if (!facet || facet.asked === params.toString()) continue;
      facet.asked = params.toString();
      facet.load.again();
    }
    this.requestUpdate();
  }

  render() {
    const { params } = address.place;
    const open = openOf(params);
    const { terms } = parse(params.get('q') ?? '');
    return FACETS.map((facet) => {
      const isOpen = open.has(facet.field);
      const chosen = chosenOf(terms, facet.field);
      return html`<section>
        <h2><button aria-expanded=${isOpen} aria-controls=${facet.field} @click=${() => this.#fold(open, facet.field)}>${facet.label}${chosen.size ? html` <span>(${chosen.size})</span>` : nothing}</button></h2>
        <div id=${facet.field} ?hidden=${!isOpen}>${isOpen ? this.#values(facet.field, facet.label, chosen) : nothing}</div>
      </section>`;
    });
  }

  /** @param {string} field @param {string} label @param {Set<string | null>} chosen */
  #values(field, label, chosen) {
    const load = this._facets.get(field)?.load;
    if (!load || load.value === null) {
      if (load?.error) return html`<p role="alert">${load.error instanceof ApiError && load.error.isOffline ? 'Waiting for the server …' : load.error.message}</p>`;
      return html`<p>Counting …</p>`;
    }
    /** @type {{value: string | null, calls: number | null}[]} */
    const values = load.value.rows.map((/** @type {Record<string, any>} */ row) => ({ value: row[field] === null ? null : String(row[field]), calls: row.calls }));
    // What is chosen stays in sight, also where it is not among the first.
    for (const value of chosen) if (!values.some((one) => one.value === value)) values.push({ value, calls: null });
    if (!values.length) return html`<p>No calls in this time.</p>`;
    return html`<ul aria-label=${`Calls by ${label.toLowerCase()}`}>${values.map(({ value, calls }) => html`<li><button aria-pressed=${chosen.has(value)} title=${nameOf(value)}
        @click=${() => address.set({ q: toggled(address.get('q') ?? '', field, value) })}>
        <span class="name">${nameOf(value)}</span><span class="calls" title=${calls === null ? 'not among the first' : `${exact(calls)} calls`}>${calls === null ? '' : count(calls)}</span></button></li>`)}</ul>
      ${load.value.is_cut ? html`<p>The first ${MOST}; the filter takes any.</p>` : nothing}`;
  }

  /** @param {Set<string>} open @param {string} field */
  #fold(open, field) {
    if (!open.delete(field)) open.add(field);
    address.set({ facets: openText(open) }, { replace: true });
  }
}

customElements.define('tb-facets', Facets);
