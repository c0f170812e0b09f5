/**
 * What this period's calls would have cost on another model, with the price that is taken. Which one stands in the address.
 */
import { css, html, nothing } from '../vendor/lit-3.3.3.js';
import { Page, address, panel } from './page.js';
import './figure.js';
import { ask } from '../lib/api.js';
import { change, count, exact, moment, money } from '../lib/format.js';
import { Load } from '../lib/load.js';
import { basisOf, choices, differenceOf, shareOf, signed, whyNot } from '../lib/other.js';
import { scopeOf } from '../lib/question.js';
import { ownZone } from '../lib/range.js';

class OtherModel extends Page {
  static styles = [panel, css`
    p { margin: 0 0 var(--tb-3); }
    label { display: inline-flex; flex-wrap: wrap; gap: var(--tb-2); align-items: center; color: var(--tb-text-soft); font-size: var(--tb-size-small); margin-bottom: var(--tb-3); max-width: 100%; }
    select { font: inherit; font-size: var(--tb-size); color: var(--tb-text); background: var(--tb-surface); border: 1px solid var(--tb-line-strong); border-radius: var(--tb-radius); padding: 0.3rem 0.6rem; min-height: 2.25rem; max-width: 100%; }
    .figures { display: grid; gap: var(--tb-3) var(--tb-5); grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); margin-bottom: var(--tb-3); }
    .scroll { overflow-x: auto; position: relative; }
    table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
    caption { text-align: left; font-weight: 600; padding-bottom: var(--tb-2); }
    th, td { padding: 0.4rem 0.6rem; text-align: right; white-space: nowrap; font-weight: 400; border-bottom: 1px solid var(--tb-line); }
    th:first-child { text-align: left; }
    thead th { color: var(--tb-text-soft); font-size: var(--tb-size-small); }
    .more { color: var(--tb-bad); }
    .less { color: var(--tb-good); }
    @media (max-width: 34rem) { .second, .was { display: none; } th, td { padding-left: 0.2rem; padding-right: 0.2rem; } }
  `];

  constructor() {
    super();
    const scope = () => scopeOf(address.place.params, new Date());
    this.prices = new Load(this, (signal) => ask('/api/v1/prices', { params: scope(), signal }));
    this.answer = new Load(this, async (signal) => {
      const [on, by] = [address.get('on'), address.get('on_provider')];
      return on ? { on, told: await ask('/api/v1/prices/other-model', { params: { ...scope(), on, on_provider: by }, signal }) } : { on: null };
    });
    this.loads = [this.prices, this.answer];
  }

  render() {
    return html`<h2 id="other">The same calls on another model</h2>
      <p class="soft">What they would have cost at its price of now. Only amounts are compared: not quality, and not how many tokens it would have made of the same text.</p>
      ${this.shown(this.prices, (value) => this.#choice(value), 1)}
      ${address.get('on') ? this.shown(this.answer, (value) => (value.on === null ? nothing : this.#answer(value.told)), 4) : nothing}`;
  }

  /** @param {any} value */
  #choice(value) {
    const [on, by] = [address.get('on'), address.get('on_provider')];
    const groups = choices(value);
    const isListed = groups.some(({ models }) => models.some((one) => one.model === on && (by === null || one.provider === by)));
    return html`<label>Model
      <select @change=${(/** @type {Event} */ event) => this.#choose(/** @type {HTMLSelectElement} */ (event.target).value)}>
        <option value="" ?selected=${!on}>Choose …</option>
        ${on && !isListed ? html`<option value=${`${by ?? ''}|${on}`} selected>${on}</option>` : nothing}
        ${groups.map(({ heading, models }) => html`<optgroup label=${heading}>${models.map((one) => html`<option value=${`${one.provider}|${one.model}`} ?selected=${isListed && one.model === on && (by === null || one.provider === by)}>${one.model}</option>`)}</optgroup>`)}
      </select></label>`;
  }

  /** @param {string} value */
  #choose(value) {
    const at = value.indexOf('|');
    address.set(value ? { on: value.slice(at + 1), on_provider: value.slice(0, at) || null } : { on: null, on_provider: null });
  }

  /** @param {any} told */
  #answer({ basis, compared, difference_nanousd: difference, difference_usd: usd, models, coverage }) {
    if (!models.length) return html`<p>No call of this time can be compared.</p>`;
    const silent = models.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.silent_calls, 0);
    return html`
      <div class="figures">
        <tb-figure label="As it was" value=${money(compared.cost_nanousd)} exact=${`${exact(compared.cost_usd)} USD`} note=${`${count(compared.calls)} calls`}></tb-figure>
        <tb-figure label=${`On ${basis.model}`} value=${money(compared.other_cost_nanousd)} exact=${`${exact(compared.other_cost_usd)} USD`}></tb-figure>
        <tb-figure label="Difference" value=${signed(difference)} exact=${`${exact(usd)} USD`} note=${change(compared.other_cost_nanousd, compared.cost_nanousd)}></tb-figure>
      </div>
      <p><b>The price taken:</b> ${basisOf(basis).join(', ')}${basis.is_free ? nothing : ' for a million tokens'} (${basis.price}, ${moment(basis.priced_at, address.get('zone') ?? ownZone()).slice(0, 10)}).
        ${basis.above_input_tokens ? html`Calls of more than ${exact(basis.above_input_tokens)} input tokens would be dearer than this.` : nothing}
        ${basis.doubts.length ? html`Uncertain: ${basis.doubts.join(', ').replaceAll('_', ' ')}.` : nothing}</p>
      <p class="soft">What was read from a cache is taken to be read from one there. Fees of tools are left out, as are embeddings, images and speech unless they are filtered for.
        ${silent ? html`${exact(silent)} calls told no tokens and are on neither side.` : nothing}</p>
      <div class="scroll" tabindex="0" role="region" aria-label="By model, on another model"><table>
        <caption>By model</caption>
        <thead><tr><th scope="col">Model</th><th scope="col" class="second">Calls</th><th scope="col" class="was">As it was</th><th scope="col">On the other</th><th scope="col">Difference</th></tr></thead>
        <tbody>${models.map((/** @type {any} */ one) => this.#row(one))}</tbody></table></div>
      ${coverage.estimated_calls ? html`<p class="soft">${exact(coverage.estimated_calls)} of the calls have an estimated cost.</p>` : nothing}`;
  }

  /** @param {any} row */
  #row(row) {
    const difference = differenceOf(row);
    return html`<tr><th scope="row">${row.model ?? 'not told'}</th><td class="second" title=${exact(row.tokens.calls)}>${count(row.tokens.calls)}</td>
      <td class="was" title=${`${exact(row.cost_usd)} USD`}>${money(row.cost_nanousd)}</td><td title=${`${exact(row.other_cost_usd)} USD`}>${money(row.other_cost_nanousd)}</td>
      <td>${row.is_comparable ? html`<span class=${(difference ?? 0) > 0 ? 'more' : 'less'}>${signed(difference)}</span> <span class="soft">${shareOf(row)}</span>` : html`<span class="soft">${whyNot(row)}</span>`}</td></tr>`;
  }
}

customElements.define('tb-other-model', OtherModel);
