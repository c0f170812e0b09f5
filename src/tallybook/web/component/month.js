/**
 * The month so far on the overview: spent, foretold, and held against a budget that stands in the address.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import { address } from './shell.js';
import { exact, money, percent } from '../lib/format.js';
import { budgetOf, monthOf, stateOf, todayIn } from '../lib/month.js';

const SAID = Object.freeze({ none: '', within: 'within the budget', tight: 'beyond the budget at this pace', over: 'over the budget' });

class MonthSoFar extends LitElement {
  static properties = { rows: { attribute: false }, zone: { type: String }, isPartial: { type: Boolean } };

  static styles = css`
    :host { display: block; }
    h2 { font-size: var(--tb-size); font-weight: 600; margin: 0 0 var(--tb-2); }
    .row { display: flex; flex-wrap: wrap; gap: var(--tb-3) var(--tb-6); align-items: end; }
    dl { margin: 0; }
    dt { color: var(--tb-text-soft); font-size: var(--tb-size-small); }
    dd { margin: 0; font-size: var(--tb-size-figure); font-weight: 650; line-height: 1.25; font-variant-numeric: tabular-nums; }
    form { margin-left: auto; display: flex; gap: var(--tb-2); align-items: center; }
    label { color: var(--tb-text-soft); font-size: var(--tb-size-small); }
    input { font: inherit; width: 7rem; min-height: 2.25rem; padding: 0.3rem 0.6rem; color: var(--tb-text); background: var(--tb-surface); border: 1px solid var(--tb-line-strong); border-radius: var(--tb-radius); text-align: right; }
    .bar { position: relative; height: 8px; background: var(--tb-sunken); border-radius: 4px; overflow: hidden; margin-top: var(--tb-3); }
    .bar i { position: absolute; inset: 0 auto 0 0; background: var(--tb-accent); }
    .bar .ahead { background: var(--tb-accent); opacity: 0.35; }
    .bar.over i, .bar.tight i { background: var(--tb-bad); }
    p { margin: var(--tb-2) 0 0; color: var(--tb-text-soft); font-size: var(--tb-size-small); }
    .bad { color: var(--tb-bad); }
    :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
    @media print { form { display: none; } }
  `;

  constructor() {
    super();
    /** @type {Record<string, any>[]} */
    this.rows = [];
    this.zone = 'UTC';
    this.isPartial = false;
  }

  updated() {
    const { month, budget } = this.#told;
    const [ahead, spent] = /** @type {HTMLElement[]} */ ([...this.renderRoot.querySelectorAll('.bar i')]);
    if (!budget || !ahead) return;
    // Widths by script and not by a style attribute, which the page's policy forbids.
    spent.style.width = `${Math.min(100, (100 * (month.spent ?? 0)) / budget)}%`;
    ahead.style.width = `${Math.min(100, (100 * (month.forecast ?? month.spent ?? 0)) / budget)}%`;
  }

  get #told() {
    return { month: monthOf(this.rows, todayIn(this.zone, new Date())), budget: budgetOf(address.get('budget')) };
  }

  render() {
    const { month, budget } = this.#told;
    const state = stateOf(month, budget);
    const more = this.isPartial ? '+' : '';
    return html`<h2>${month.name}</h2>
      <div class="row">
        <dl><dt>Spent so far</dt><dd title=${month.spent === null ? 'nothing has a price' : `${exact(month.spent / 1e9)} USD`}>${money(month.spent)}${month.spent === null ? '' : more}</dd></dl>
        <dl><dt>Forecast for the month</dt><dd title=${month.forecast === null ? 'unknown' : `${exact(month.forecast / 1e9)} USD`}>${month.forecast === null ? '–' : `≈${money(month.forecast)}${more}`}</dd></dl>
        ${budget === null ? nothing : html`<dl><dt>Of the budget</dt><dd>${percent(month.spent === null ? null : month.spent / budget)}</dd></dl>`}
        <form @submit=${(/** @type {Event} */ event) => { event.preventDefault(); this.#set(); }}>
          <label for="budget">Budget, USD a month</label>
          <input id="budget" inputmode="decimal" autocomplete="off" placeholder="none" .value=${address.get('budget') ?? ''} @change=${() => this.#set()} />
        </form>
      </div>
      ${budget === null ? nothing : html`<div class="bar ${state}" role="img" aria-label=${`${percent(month.spent === null ? null : month.spent / budget)} of ${money(budget)} spent, ${SAID[state]}`}><i class="ahead"></i><i></i></div>`}
      <p>${month.forecast === null
        ? 'Too few days with costs for a forecast.'
        : `At the pace of the last ${month.paceDays} whole days, ${money(month.pace)} a day, with ${month.daysLeft} days left after today.`}
        ${state === 'none' ? nothing : html` <span class=${state === 'within' ? '' : 'bad'}>${SAID[state][0].toUpperCase()}${SAID[state].slice(1)}.</span>`}</p>`;
  }

  #set() {
    const { value } = /** @type {HTMLInputElement} */ (this.renderRoot.querySelector('#budget'));
    address.set({ budget: budgetOf(value) === null ? null : value.trim() });
    this.requestUpdate();
  }
}

customElements.define('tb-month', MonthSoFar);
