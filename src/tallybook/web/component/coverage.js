/**
 * How far a total can be trusted: nothing where every call has a price, else what it lacks, in words.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import { exact, percent } from '../lib/format.js';

class Coverage extends LitElement {
  static properties = { coverage: { attribute: false } };

  static styles = css`
    :host { display: inline; }
    span { display: inline-block; font-size: var(--tb-size-small); border-radius: 1rem; padding: 0.05rem 0.6rem; background: var(--tb-warn-soft); color: var(--tb-warn); white-space: nowrap; }
    span.estimate { background: var(--tb-sunken); color: var(--tb-text-soft); }
  `;

  constructor() {
    super();
    /** @type {Record<string, number> | null} */
    this.coverage = null;
  }

  render() {
    const told = this.coverage;
    if (!told?.calls) return nothing;
    const { calls, unpriced_calls: unpriced = 0, estimated_calls: estimated = 0 } = told;
    return html`
      ${unpriced ? html`<span title=${`${exact(unpriced)} of ${exact(calls)} calls have no known price: the cost is a lower bound`}>${percent(unpriced / calls)} unpriced</span>` : nothing}
      ${estimated ? html`<span class="estimate" title=${`${exact(estimated)} of ${exact(calls)} calls have an estimated cost`}>${percent(estimated / calls)} estimated</span>` : nothing}
    `;
  }
}

customElements.define('tb-coverage', Coverage);
