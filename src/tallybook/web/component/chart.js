/**
 * One chart: drawn by Observable Plot as SVG with a name, its figures as a table behind it, CSV, drag to zoom.
 *
 * Series differ by colour and by dash, and are labelled; the table is what a screen reader is given.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import { stepsWithin } from '../lib/range.js';
import { lineRows, timeText, timesOf } from '../lib/series.js';
import { keyed } from '../lib/table.js';
import './csv.js';

/** @typedef {{x: Date, y: number | null, series: string}} Point */

/** @type {Promise<any> | undefined} */
let loading;
/** The library comes when the first chart does: the page's text need not wait for it. */
const plot = () => (loading ??= import('../vendor/plot-0.6.17.js'));

const DASHES = ['none', '6 3', '2 3', '8 3 2 3', '1 4', '10 4', '4 2 1 2'];

class Chart extends LitElement {
  static properties = {
    label: { type: String },
    column: { type: String },
    points: { attribute: false },
    previous: { attribute: false },
    form: { type: String },
    format: { attribute: false },
    height: { type: Number },
    _isTable: { state: true },
    _width: { state: true },
    _drag: { state: true },
  };

  static styles = css`
    :host { display: block; min-width: 0; }
    figure { margin: 0; }
    figcaption { display: flex; flex-wrap: wrap; gap: var(--tb-2); align-items: center; margin-bottom: var(--tb-2); }
    h2 { margin: 0; font-size: var(--tb-size); font-weight: 600; flex: 1; }
    button { font: inherit; font-size: var(--tb-size-small); color: var(--tb-text-soft); background: none; border: 1px solid var(--tb-line); border-radius: 4px; padding: 0.15rem 0.5rem; cursor: pointer; min-height: 1.75rem; }
    button[aria-pressed='true'] { background: var(--tb-accent-soft); color: var(--tb-accent); }
    :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
    .drawing { position: relative; touch-action: pan-y; color: var(--tb-text-soft); }
    .drawing svg { display: block; overflow: visible; height: auto; max-width: 100%; --plot-background: var(--tb-surface); }
    .drawing svg text, .drawing svg tspan { white-space: pre; }
    .marked { position: absolute; top: 0; bottom: 0; background: var(--tb-accent); opacity: 0.15; pointer-events: none; }
    .legend { display: flex; flex-wrap: wrap; gap: var(--tb-1) var(--tb-4); list-style: none; margin: var(--tb-2) 0 0; padding: 0; font-size: var(--tb-size-small); color: var(--tb-text-soft); }
    .legend svg { width: 1.5rem; height: 0.5rem; vertical-align: middle; margin-right: var(--tb-1); }
    @media print { figcaption button { display: none; } .drawing svg { max-width: 100%; height: auto; } .scroll { overflow: visible; max-height: none; } }
    .scroll { overflow: auto; max-height: 20rem; }
    table { border-collapse: collapse; font-size: var(--tb-size-small); font-variant-numeric: tabular-nums; width: 100%; }
    th, td { text-align: right; padding: var(--tb-1) var(--tb-3); border-bottom: 1px solid var(--tb-line); white-space: nowrap; }
    th:first-child { text-align: left; }
    thead th { position: sticky; top: 0; background: var(--tb-surface); }
  `;

  constructor() {
    super();
    this.label = '';
    /** What is told, with its unit last, as the file has it: `cost_nanousd`, `calls`. */
    this.column = 'value';
    /** @type {Point[]} */
    this.points = [];
    /** @type {Point[]} the period before, moved onto this one */
    this.previous = [];
    /** @type {'line' | 'bar' | 'area'} */
    this.form = 'line';
    /** @type {(value: number | null) => string} */
    this.format = String;
    this.height = 220;
    this._isTable = false;
    this._width = 0;
    /** @type {{from: number, to: number} | null} */
    this._drag = null;
    // On its way down: the library's own pointer lets nobody else have it afterwards.
    this._down = { handleEvent: (/** @type {PointerEvent} */ event) => this.#begin(event), capture: true };
    this._watch = new ResizeObserver(([entry]) => { this._width = Math.floor(entry.contentRect.width); });
    this._redraw = () => this.requestUpdate();
  }

  connectedCallback() {
    super.connectedCallback();
    this._watch.observe(this);
    window.addEventListener('tb-theme', this._redraw);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this._watch.disconnect();
    window.removeEventListener('tb-theme', this._redraw);
  }

  get series() {
    return [...new Set(this.points.map((point) => point.series))];
  }

  render() {
    return html`<figure>
      <figcaption>
        <h2>${this.label}</h2>
        <button aria-pressed=${this._isTable} @click=${() => { this._isTable = !this._isTable; }}>Table</button>
        <tb-csv label=${this.label} .rows=${() => lineRows(this.points, this.previous, this.column)} .columns=${keyed('time', 'series', this.column)}></tb-csv>
      </figcaption>
      ${this._isTable ? this.#table() : this.#drawing()}
    </figure>`;
  }

  #drawing() {
    const names = this.series;
    const { _drag: drag } = this;
    return html`
      <div class="drawing" @pointerdown=${this._down} @pointermove=${this.#move} @pointerup=${this.#end} @pointercancel=${() => { this._drag = null; }}>
        <div class="plot" role="img" aria-label=${`${this.label}. ${this.#summary()}`}></div>
        ${drag && Math.abs(drag.to - drag.from) > 4 ? html`<div class="marked"></div>` : nothing}
      </div>
      ${names.length > 1 || this.previous.length
        ? html`<ul class="legend">
            ${names.map((name, number) => html`<li>${this.#key(number)}${name}</li>`)}
            ${this.previous.length ? html`<li>${this.#key(-1)}period before</li>` : nothing}
          </ul>`
        : nothing}
    `;
  }

  /** @param {number} number of the series; -1 is the period before */
  #key(number) {
    return html`<svg viewBox="0 0 24 8" aria-hidden="true"><line x1="0" x2="24" y1="4" y2="4" stroke=${colour(number)} stroke-width="3" stroke-dasharray=${number < 0 ? '3 3' : DASHES[number % DASHES.length]}></line></svg>`;
  }

  #summary() {
    const values = this.points.map((point) => point.y).filter((value) => value !== null);
    if (!values.length) return 'No figures.';
    return `${this.series.length} series, from ${this.format(Math.min(...values))} to ${this.format(Math.max(...values))}. The table holds the figures.`;
  }

  #table() {
    const { names, rows, isByDay } = timesOf(this.points, this.previous);
    return html`<div class="scroll" tabindex="0" role="region" aria-label=${`${this.label}, table`}><table>
      <thead><tr><th scope="col">Time</th>${names.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
      <tbody>${rows.map(([at, row]) => html`<tr><th scope="row">${timeText(new Date(at), isByDay)}</th>${names.map((name) => html`<td>${this.format(row.get(name) ?? null)}</td>`)}</tr>`)}</tbody>
    </table></div>`;
  }

  async updated() {
    const marked = /** @type {HTMLElement | null} */ (this.renderRoot.querySelector('.marked'));
    if (marked && this._drag) {
      marked.style.left = `${Math.min(this._drag.from, this._drag.to)}px`;
      marked.style.width = `${Math.abs(this._drag.to - this._drag.from)}px`;
    }
    const place = this.renderRoot.querySelector('.plot');
    if (!place || this._width < 40) return;
    const library = await plot();
    if (!place.isConnected) return;
    this._drawn = this.#draw(library);
    this._drawn.setAttribute('aria-hidden', 'true'); // Its place has the name; the table has the figures.
    this._drawn.querySelector('style')?.remove(); // A policy without inline styles forbids it; ours says the same.
    place.replaceChildren(this._drawn);
  }

  /** @param {any} Plot */
  #draw(Plot) {
    const names = this.series;
    const colours = names.map((_, number) => colour(number));
    const main = { x: 'x', y: 'y' };
    const marks = [Plot.ruleY([0], { stroke: 'var(--tb-line-strong)' })];
    if (this.previous.length) marks.push(Plot.lineY(this.previous, { ...main, stroke: 'var(--tb-previous)', strokeDasharray: '3 3', strokeWidth: 1.5 }));
    if (this.form === 'bar') marks.push(Plot.rectY(this.points, { ...main, interval: this.#interval(), fill: 'series', inset: 0.5 }));
    else if (this.form === 'area') marks.push(Plot.areaY(this.points, { ...main, fill: 'series', fillOpacity: 0.85 }));
    else {
      names.forEach((name, number) => {
        const own = this.points.filter((point) => point.series === name);
        marks.push(Plot.lineY(own, { ...main, stroke: colours[number], strokeWidth: 2, strokeDasharray: DASHES[number % DASHES.length] }));
        if (own.length < 40) marks.push(Plot.dot(own, { ...main, fill: colours[number], r: 2 }));
      });
    }
    marks.push(Plot.ruleX(this.points, Plot.pointerX({ x: 'x', stroke: 'var(--tb-line-strong)' })));
    marks.push(Plot.tip(this.points, Plot.pointerX({
      ...main, title: (/** @type {Point} */ point) => `${timeText(point.x)}\n${point.series}: ${this.format(point.y)}`,
      fill: 'var(--tb-raised)', stroke: 'var(--tb-line-strong)', fontSize: 12,
    })));
    return Plot.plot({
      className: 'tb-plot', width: this._width, height: this.height, marginLeft: 56, marginRight: 12, marginTop: 10, marginBottom: 28,
      x: { type: 'utc', label: null }, y: { label: null, grid: true, ticks: 5, tickFormat: this.format, zero: true },
      color: { domain: names, range: colours }, marks,
    });
  }

  #interval() {
    const times = [...new Set(this.points.map((point) => point.x.getTime()))].sort((one, other) => one - other);
    const step = Math.min(...times.slice(1).map((time, number) => time - times[number]));
    return step >= 28 * 86_400_000 ? 'month' : step >= 7 * 86_400_000 ? '7 days' : step >= 86_400_000 ? 'day' : 'hour';
  }

  /** @param {PointerEvent} event */
  #begin(event) {
    if (event.button !== 0 || event.pointerType === 'touch') return;
    const x = this.#offset(event);
    this._drag = { from: x, to: x };
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (this._drag) this._drag = { ...this._drag, to: this.#offset(event) };
  }

  #end() {
    const drag = this._drag;
    this._drag = null;
    if (!drag || Math.abs(drag.to - drag.from) < 8) return;
    const scale = this._drawn?.scale('x');
    if (!scale?.invert) return;
    const [from, to] = [drag.from, drag.to].sort((one, other) => one - other).map((x) => scale.invert(x));
    const detail = stepsWithin(this.points.map((point) => point.x), from, to, this.form === 'bar') ?? { from, to };
    this.dispatchEvent(new CustomEvent('tb-zoom', { bubbles: true, composed: true, detail }));
  }

  /** @param {PointerEvent} event */
  #offset(event) {
    return event.clientX - /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect().left;
  }
}

/** @param {number} number @returns {string} */
function colour(number) {
  return number < 0 ? 'var(--tb-previous)' : number < 7 ? `var(--tb-series-${number + 1})` : 'var(--tb-series-rest)';
}

customElements.define('tb-chart', Chart);
