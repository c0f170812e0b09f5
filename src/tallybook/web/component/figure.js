/**
 * One figure of the row on top: what it is, its value, how it moved. The exact value is for hover and for screen readers.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import { change } from '../lib/format.js';

class Figure extends LitElement {
  static properties = {
    label: { type: String }, value: { type: String }, exact: { type: String }, now: { type: Number }, earlier: { type: Number },
    rising: { type: String }, note: { type: String },
  };

  static styles = css`
    :host { display: block; }
    dl { margin: 0; }
    dt { color: var(--tb-text-soft); font-size: var(--tb-size-small); }
    dd { margin: 0; font-variant-numeric: tabular-nums; }
    .value { font-size: var(--tb-size-figure); font-weight: 650; line-height: 1.25; }
    .change { font-size: var(--tb-size-small); color: var(--tb-text-soft); }
    .bad { color: var(--tb-bad); }
    .good { color: var(--tb-good); }
    .hidden { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  `;

  constructor() {
    super();
    this.label = this.value = this.exact = this.note = '';
    /** @type {number | null} */
    this.now = null;
    /** @type {number | null} */
    this.earlier = null;
    /** @type {'good' | 'bad' | 'neither'} what it means when it grows */
    this.rising = 'neither';
  }

  render() {
    const moved = change(this.now, this.earlier);
    const isUp = (this.now ?? 0) >= (this.earlier ?? 0);
    const tone = this.rising === 'neither' || moved === '' ? '' : (this.rising === 'bad') === isUp ? 'bad' : 'good';
    return html`<dl>
      <dt>${this.label}</dt>
      <dd class="value" title=${this.exact || nothing}><span aria-hidden=${this.exact ? 'true' : nothing}>${this.value}</span>${this.exact ? html`<span class="hidden">${this.exact}</span>` : nothing}</dd>
      <dd class="change"><span class=${tone} title=${moved ? 'against the period before' : nothing}>${moved}${moved ? html`<span class="hidden"> against the period before</span>` : nothing}</span>${moved && this.note ? ' · ' : nothing}${this.note}<slot></slot></dd>
    </dl>`;
  }
}

customElements.define('tb-figure', Figure);
