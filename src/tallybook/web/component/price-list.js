/**
 * Prices: where they come from, and what the models in use cost now.
 */
import { html, nothing } from '../vendor/lit-3.3.3.js';
import { Section } from './section.js';
import { ask } from '../lib/api.js';
import { count, exact } from '../lib/format.js';
import { Load } from '../lib/load.js';
import { rate } from '../lib/setting.js';

const SOURCES = Object.freeze(/** @type {Record<string, string>} */ ({ own: 'Your own prices', overlay: 'Corrections of this program', list: 'The price list' }));

class PriceList extends Section {
  constructor() {
    super();
    this.load = new Load(this, (signal) => ask('/api/v1/prices', { signal }));
  }

  render() {
    return html`<h2 id="prices">Prices</h2>
      <p class="soft">The first that has a price wins. Nothing is fetched: newer prices come with a newer list. Your own stand in <code>prices.toml</code> in the folder.</p>
      ${this.shown((value) => html`
        <ol>${value.sources.map((/** @type {any} */ one) => html`<li>${SOURCES[one.source]}: ${one.where === null ? 'none' : html`<code>${one.where}</code>`}${one.rows === null ? nothing : `, ${exact(one.rows)} rows`}
          ${one.faults.map((/** @type {string} */ fault) => html`<p class="warn">${fault}</p>`)}</li>`)}</ol>
        ${value.models.length ? this.#table(value) : html`<p>No model was used in the last 30 days.</p>`}`, 6)}`;
  }

  /** @param {Record<string, any>} value */
  #table(value) {
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Prices of the models in use"><table>
      <caption>Models of the last 30 days, USD for a million tokens now</caption>
      <thead><tr><th scope="col">Model</th><th scope="col" class="second">Provider</th><th scope="col" class="number second">Calls</th><th scope="col" class="number">Input</th><th scope="col" class="number second">Cache read</th><th scope="col" class="number second">Cache write</th><th scope="col" class="number">Output</th><th scope="col" class="second">From</th></tr></thead>
      <tbody>${value.models.map((/** @type {any} */ one) => html`<tr><th scope="row">${one.model ?? 'not told'}</th><td class="second">${one.provider}</td><td class="number second" title=${exact(one.calls)}>${count(one.calls)}</td>
        ${one.is_free
          ? html`<td class="number">free</td><td class="second"></td><td class="second"></td><td class="number">free</td>`
          : html`<td class="number">${rate(one.input_picousd)}</td><td class="number second">${rate(one.cache_read_picousd)}</td><td class="number second">${rate(one.cache_write_picousd)}</td><td class="number">${rate(one.output_picousd)}</td>`}
        <td class="second">${one.price === null ? html`<span class="warn">no price is known</span>` : one.price}${one.doubts.length ? html`<br /><span class="soft">${one.doubts.join(', ')}</span>` : nothing}</td></tr>`)}</tbody></table></div>`;
  }
}

customElements.define('tb-price-list', PriceList);
