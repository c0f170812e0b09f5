/**
 * The execution tree of a run with its waterfall. Opening a call is told by `tb-open`; arrows, Home, End and Enter do everything.
 */
import { LitElement, css, html, nothing, svg } from '../vendor/lit-3.3.3.js';
import { count, exact, money } from '../lib/format.js';
import { ms } from '../lib/column.js';
import { bars, clockOf, figures, forest, keyed, labelOf, linesOf } from '../lib/tree.js';

/** @typedef {import('../lib/tree.js').Line} Line */

const WIDTH = 1_000;
const LEAST = 3;
/** Levels that are indented further; below them the level stands in figures. */
const DEPTH_MAX = 16;

class Tree extends LitElement {
  static properties = { nodes: { attribute: false }, total: { type: Number }, selected: { type: String }, _turned: { state: true }, _at: { state: true } };

  static styles = css`
    :host { display: block; font-variant-numeric: tabular-nums; container-type: inline-size; }
    .line { display: grid; grid-template-columns: minmax(10rem, 2.4fr) 5.5rem 5.5rem 6rem 5rem minmax(7rem, 1.6fr); gap: 0 var(--tb-3); align-items: center; min-height: 2rem; padding: 0 var(--tb-2); border-bottom: 1px solid var(--tb-line); cursor: default; }
    .head { color: var(--tb-text-soft); font-size: var(--tb-size-small); }
    .item:hover { background: var(--tb-sunken); }
    .item[aria-selected='true'] { background: var(--tb-accent-soft); }
    .item:focus-visible { outline: 2px solid var(--tb-focus); outline-offset: -2px; }
    .name { display: flex; align-items: center; gap: var(--tb-2); min-width: 0; padding-left: calc(var(--depth, 0) * 1.1rem); }
    .name > span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    .turn { flex: none; width: 1.25rem; text-align: center; color: var(--tb-text-soft); cursor: pointer; }
    .model, .tools { color: var(--tb-text-soft); font-size: var(--tb-size-small); }
    .number { text-align: right; white-space: nowrap; }
    .number small { display: block; color: var(--tb-text-soft); line-height: 1; }
    .sum { color: var(--tb-text-soft); }
    .bad { color: var(--tb-bad); }
    svg { display: block; width: 100%; height: 0.75rem; background: var(--tb-sunken); border-radius: 2px; }
    rect { fill: var(--tb-series-7); }
    rect.call { fill: var(--tb-series-1); }
    rect.error { fill: var(--tb-bad); }
    rect.wait { fill: var(--tb-previous); }
    .legend { display: flex; flex-wrap: wrap; gap: var(--tb-1) var(--tb-4); font-size: var(--tb-size-small); color: var(--tb-text-soft); margin: var(--tb-2) 0 0; padding: 0; list-style: none; }
    .legend svg { display: inline-block; width: 1.25rem; vertical-align: middle; margin-right: var(--tb-1); }
    @container (max-width: 52rem) {
      .line { grid-template-columns: minmax(0, 1fr) 5.5rem 4.5rem; padding-bottom: var(--tb-1); }
      .second { display: none; }
      .fall { grid-column: 1 / -1; }
    }
  `;

  constructor() {
    super();
    /** @type {Record<string, any>[]} as the interface lists them */
    this.nodes = [];
    /** @type {number | null} milliseconds of the run */
    this.total = null;
    this.selected = '';
    /** @type {Set<string>} */
    this._turned = new Set();
    this._at = '';
    /** @type {import('../lib/tree.js').Node[]} */
    this._roots = [];
    /** @type {import('../lib/tree.js').Clock} */
    this._clock = { place: () => 0, idle_ms: 0 };
    /** @type {Line[]} */
    this._lines = [];
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (changed.has('nodes')) this._roots = forest(this.nodes);
    if (changed.has('nodes') || changed.has('total')) this._clock = clockOf(this.nodes, this.total);
    this._lines = linesOf(this._roots, this._turned);
    if (!this._lines.some((line) => line.key === this._at)) this._at = this._lines.find((line) => line.key === this.selected)?.key ?? this._lines[0]?.key ?? '';
  }

  render() {
    return html`
      <div class="line head" aria-hidden="true"><span>Step</span><span class="number second">Input</span><span class="number second">Output</span><span class="number">Cost</span><span class="number">Time</span><span class="fall second">Waterfall, ${ms(this.total)}${this._clock.idle_ms ? html` without ${ms(this._clock.idle_ms)} idle` : nothing}</span></div>
      <div role="tree" aria-label="Execution" @keydown=${this.#key}>${this._lines.map((line) => this.#line(line))}</div>
      <ul class="legend" aria-hidden="true">
        <li>${this.#sample('call')}model call</li><li>${this.#sample('wait')}until its first token</li><li>${this.#sample('')}step</li><li>${this.#sample('error')}failed</li><li>∑ with all below</li>
      </ul>`;
  }

  /** @param {string} kind */
  #sample(kind) {
    return html`<svg viewBox="0 0 20 10" preserveAspectRatio="none"><rect class=${kind} width="20" height="10"></rect></svg>`;
  }

  /** @param {Line} line */
  #line(line) {
    const [node] = line.nodes;
    const told = figures(line);
    const isCall = node.kind === 'call';
    const sum = told.isSum ? '∑ ' : '';
    const cost = !told.calls ? '' : told.cost === null ? 'unpriced' : `${money(told.cost)}${told.unpriced ? '+' : ''}`;
    return html`<div class="line item" role="treeitem" data-key=${line.key} aria-level=${line.depth + 1} aria-posinset=${line.place} aria-setsize=${line.size}
        aria-expanded=${line.canOpen ? String(line.isOpen) : nothing} aria-selected=${String(line.key === this.selected)} aria-label=${this.#spoken(line)} tabindex=${line.key === this._at ? 0 : -1}
        @focus=${() => { this._at = line.key; }} @click=${() => this.#open(line)}>
      <span class="name" title=${node.error_message ?? labelOf(line)}>
        <span class="turn" @click=${(/** @type {Event} */ event) => { event.stopPropagation(); this.#turn(line); }}>${line.canOpen ? (line.isOpen ? '▾' : '▸') : ''}</span>
        <span class=${node.status === 'ok' ? '' : 'bad'}>${line.depth > DEPTH_MAX ? `${line.depth + 1}: ` : ''}${labelOf(line)}${node.status === 'ok' ? '' : `, ${node.status === 'error' ? 'failed' : node.status}`}
          ${isCall ? html`<span class="model">${node.model ?? 'unknown model'}</span>` : nothing}${node.tool_calls.length ? html`<span class="tools"> → ${node.tool_calls.join(', ')}</span>` : nothing}</span>
      </span>
      <span class="number second" title=${exact(told.input)}>${told.input === null ? '' : html`<span class="sum">${sum}</span>${count(told.input)}`}${told.own ? html`<small>own ${count(told.own.input)}</small>` : nothing}</span>
      <span class="number second" title=${exact(told.output)}>${told.output === null ? '' : html`<span class="sum">${sum}</span>${count(told.output)}`}${told.own ? html`<small>own ${count(told.own.output)}</small>` : nothing}</span>
      <span class="number" title=${told.calls ? `${told.cost === null ? 'unknown' : `${exact(told.cost / 1e9)} USD`}${told.unpriced ? `, ${told.unpriced} unpriced` : ''}` : nothing}>${cost ? html`<span class="sum">${sum}</span>${cost}` : ''}${told.own ? html`<small>own ${money(told.own.cost)}</small>` : nothing}</span>
      <span class="number">${line.nodes.length > 1 ? html`<span class="sum">∑ </span>` : nothing}${ms(told.duration_ms)}</span>
      <span class="fall">${this.#fall(line)}</span>
    </div>`;
  }

  /** @param {Line} line */
  #fall(line) {
    const [node] = line.nodes;
    const kind = node.status === 'error' ? 'error' : node.kind === 'call' ? 'call' : '';
    const { place } = this._clock;
    const wait = line.nodes.length === 1 && node.ttft_ms ? place(node.offset_ms + node.ttft_ms) - place(node.offset_ms) : 0;
    return html`<svg viewBox="0 0 ${WIDTH} 10" preserveAspectRatio="none" aria-hidden="true">${bars(line, this._clock).map(({ from, size }) => {
      const width = Math.max(LEAST, size * WIDTH);
      const x = Math.min(from * WIDTH, WIDTH - width);
      return svg`<rect class=${kind} x=${x} y="1" width=${width} height="8"></rect>${wait ? svg`<rect class="wait" x=${x} y="1" width=${Math.min(width, wait * WIDTH)} height="8"></rect>` : nothing}`;
    })}</svg>`;
  }

  /** @param {Line} line @returns {string} the whole line for who hears it */
  #spoken(line) {
    const [node] = line.nodes;
    const told = figures(line);
    const parts = [labelOf(line), node.kind === 'call' ? (node.model ?? 'unknown model') : '', node.status === 'ok' ? '' : node.status];
    if (told.calls) parts.push(`${told.isSum ? 'in all ' : ''}${exact(told.input)} input tokens, ${exact(told.output)} output tokens, ${told.cost === null ? 'unpriced' : money(told.cost)}`);
    parts.push(told.duration_ms === null ? '' : ms(told.duration_ms));
    return parts.filter(Boolean).join(', ');
  }

  updated() {
    for (const [number, place] of [...this.renderRoot.querySelectorAll('.item')].entries()) {
      /** @type {HTMLElement} */ (place).style.setProperty('--depth', String(Math.min(DEPTH_MAX, this._lines[number]?.depth ?? 0)));
    }
  }

  /** @param {Line} line */
  #turn(line) {
    if (!line.canOpen) return;
    const turned = new Set(this._turned);
    if (!turned.delete(line.key)) turned.add(line.key);
    this._turned = turned;
  }

  /** A call is opened, anything else turned. @param {Line} line */
  #open(line) {
    if (line.nodes.length === 1 && line.nodes[0].kind === 'call') this.dispatchEvent(new CustomEvent('tb-open', { detail: { call: line.key }, bubbles: true, composed: true }));
    else this.#turn(line);
  }

  /** @param {KeyboardEvent} event */
  async #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const line = this._lines.find((one) => one.key === this._at);
    if (!line) return;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.#open(line);
      return;
    }
    const done = keyed(this._lines, this._at, event.key);
    if (!done) return;
    event.preventDefault();
    if ('turn' in done) this.#turn(line);
    else {
      this._at = done.to;
      await this.updateComplete;
      const items = /** @type {HTMLElement[]} */ ([...this.renderRoot.querySelectorAll('.item')]);
      items.find((item) => item.dataset.key === done.to)?.focus();
    }
  }
}

customElements.define('tb-tree', Tree);
