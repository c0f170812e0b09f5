/**
 * What `<tb-cost-chart>`, `<tb-runs-list>` and `<tb-run-tree>` of `/embed.js` show, drawn by the parts of our own pages. Loaded
 * when the first of them stands in a page: a page of `<tb-message-usage>` alone needs none of it.
 *
 * Colours and sizes are those of `token.css`, each under the name `--tb-embed-…` the page's to set.
 */
import { html, nothing, render } from '../vendor/lit-3.3.3.js';
import './chart.js';
import './tree.js';
import { coursePoints, embedTokens } from '../lib/embedded.js';
import { count, exact, moment, money } from '../lib/format.js';
import { ownZone } from '../lib/range.js';

/** @typedef {Record<string, any>} Told as the interface gives it */

const sheet = new CSSStyleSheet();
/** @type {Promise<void> | undefined} */
let dressing;

/** Give a shadow root the colours and sizes that the parts are drawn with. @param {ShadowRoot} root */
export async function dress(root) {
  dressing ??= fetch(new URL('../style/token.css', import.meta.url)).then(async (reply) => {
    sheet.replaceSync(`${embedTokens(await reply.text())}
      :host { display: block; }
      table { border-collapse: collapse; inline-size: 100%; }
      th, td { text-align: start; font-weight: 400; padding: 0.4rem 0.5rem; border-block-end: 1px solid var(--tb-line); }
      thead th { color: var(--tb-text-soft); font-size: 0.8125em; }
      .number { text-align: end; white-space: nowrap; }
      .scroll { overflow-x: auto; position: relative; }
      .name { border: 0; padding: 0; font: inherit; color: var(--tb-accent); text-decoration: underline; text-align: start; min-block-size: 1.5rem; cursor: pointer; background: none; overflow-wrap: anywhere; }
      .more { margin-block-start: 0.5rem; }
      @media (max-width: 34rem) { .second { display: none; } }`);
  });
  await dressing;
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
}

/** Cost over time. @param {HTMLElement} place @param {Told} data @param {HTMLElement} host */
function chart(place, data, host) {
  const currency = data.currency ?? 'USD';
  const symbol = currency === 'USD' ? '$' : `${currency} `;
  render(html`<tb-chart column="cost_nanousd" .label=${`Cost by ${data.interval}`} .points=${coursePoints(data)} .form=${host.getAttribute('form') ?? 'bar'} .height=${Number(host.getAttribute('height')) || 200}
    .format=${(/** @type {number | null} */ value) => money(value, { symbol })} title=${currency}></tb-chart>`, place);
}

/** Runs, the latest first. @param {HTMLElement} place @param {Told} data @param {HTMLElement} host */
function runs(place, data, host) {
  const link = host.getAttribute('link');
  const zone = host.getAttribute('timezone') ?? ownZone();
  /** @param {Told} run */
  const name = (run) => {
    const shown = run.name || run.run_id;
    if (link) return html`<a class="name" href=${link.replaceAll('{id}', encodeURIComponent(run.run_id))}>${shown}</a>`;
    return html`<button class="name" type="button" @click=${() => host.dispatchEvent(new CustomEvent('tb-run', { detail: run, bubbles: true, composed: true }))}>${shown}</button>`;
  };
  if (!data.runs.length) {
    render(html`<p class="soft">Nothing here yet.</p>`, place);
    return;
  }
  render(html`<div class="scroll" tabindex="0" role="region" aria-label=${host.getAttribute('label') ?? 'Runs'}><table>
    <thead><tr><th scope="col">Name</th><th scope="col" class="second">Last active</th><th scope="col" class="number second">Messages</th><th scope="col" class="number">Tokens</th><th scope="col" class="number">Cost</th></tr></thead>
    <tbody>${data.runs.map((/** @type {Told} */ run) => html`<tr>
      <th scope="row">${run.is_starred ? html`<span aria-label="starred" role="img">★ </span>` : nothing}${name(run)}</th>
      <td class="second">${run.updated_at ? moment(run.updated_at, zone).slice(0, 16) : '–'}</td><td class="number second">${count(run.message_count)}</td>
      <td class="number" title=${`${exact(run.total_tokens)} tokens`}>${count(run.total_tokens)}</td>
      <td class="number" title=${run.cost_usd === null ? 'unknown' : `${exact(run.cost_usd)} USD${run.unpriced_calls ? `, ${run.unpriced_calls} calls unpriced` : ''}`}>${run.cost_nanousd === null ? '–' : `${money(run.cost_nanousd)}${run.unpriced_calls ? '+' : ''}`}</td></tr>`)}
    </tbody></table></div>
    ${data.cursor ? html`<button class="more" type="button" @click=${() => /** @type {any} */ (host).more()}>Older</button>` : nothing}`, place);
}

/** The execution of a run. @param {HTMLElement} place @param {Told} data @param {HTMLElement} host */
function tree(place, data, host) {
  if (!data.nodes.length) {
    render(html`<p class="soft">Nothing has happened yet.</p>`, place);
    return;
  }
  render(html`<tb-tree .nodes=${data.nodes} .total=${data.duration_ms}
    @tb-open=${(/** @type {CustomEvent} */ event) => { event.stopPropagation(); host.dispatchEvent(new CustomEvent('tb-call', { detail: event.detail, bubbles: true, composed: true })); }}></tb-tree>
    ${data.is_cut ? html`<p class="soft">The first ${exact(data.nodes.length)} steps; the sums are over all.</p>` : nothing}`, place);
}

export const show = Object.freeze({ chart, runs, tree });
