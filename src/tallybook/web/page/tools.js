/**
 * Tools: how often models used them, how long they took, how often and of what they failed.
 */
import { css, html, nothing } from '../vendor/lit-3.3.3.js';
import { Page, address, panel } from '../component/page.js';
import '../component/chart.js';
import '../component/figure.js';
import '../component/outcome.js';
import '../component/share.js';
import '../component/table.js';
import { ask } from '../lib/api.js';
import { ms } from '../lib/column.js';
import { parse } from '../lib/filter.js';
import { count, exact, moment, percent } from '../lib/format.js';
import { Load } from '../lib/load.js';
import { query, scopeOf, stackedPoints } from '../lib/question.js';
import { ownZone, spanOf } from '../lib/range.js';
import { stepsOf } from '../lib/step.js';
import { TOOL_COLUMNS, TOOL_WORDS, strangers, toolRows } from '../lib/tool.js';

const MOST = 10;
const ALL = 1_000;
const TOTALS = ['uses', 'failures', 'duration_avg_us', 'duration_p95_us', 'calls', 'runs'];

class ToolsPage extends Page {
  static styles = [panel, css`
    .figures { display: grid; gap: var(--tb-3) var(--tb-5); grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); margin-bottom: var(--tb-4); }
    .chosen { display: flex; gap: var(--tb-3); align-items: center; margin: 0 0 var(--tb-4); }
    button { font: inherit; font-size: var(--tb-size-small); border: 1px solid var(--tb-line-strong); border-radius: var(--tb-radius); background: var(--tb-surface); color: var(--tb-text); padding: 0.3rem 0.8rem; cursor: pointer; min-height: 2.25rem; }
    .grid { grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); }
    .below { margin-top: var(--tb-4); }
    .scroll { overflow-x: auto; position: relative; }
    table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
    caption { text-align: left; font-weight: 600; padding-bottom: var(--tb-2); }
    th, td { padding: 0.4rem 0.6rem; text-align: left; font-weight: 400; border-bottom: 1px solid var(--tb-line); vertical-align: top; }
    thead th { color: var(--tb-text-soft); font-size: var(--tb-size-small); }
    td.number, th.number { text-align: right; white-space: nowrap; }
    td.error { overflow-wrap: anywhere; min-width: 14rem; max-width: 40rem; }
    td.nowrap { white-space: nowrap; }
    ul { margin: 0; padding: 0; list-style: none; }
    li a { display: block; padding: 0.15rem 0; min-height: 1.75rem; white-space: nowrap; }
    @media (max-width: 52rem) { .second { display: none; } td.error { min-width: 8rem; } th, td { padding-left: 0.3rem; padding-right: 0.3rem; } }
  `];

  constructor() {
    super();
    const params = () => address.place.params;
    const usage = (/** @type {string} */ path, /** @type {Record<string, any>} */ own, /** @type {AbortSignal} */ signal) => ask(`/api/ai/usage/${path}`, { params: { ...this.#scope(), ...own }, signal });
    this.total = new Load(this, (signal) => query(params(), { source: 'tool_calls', measures: TOTALS, filters: this.#chosen(), isCompared: true }, signal));
    this.tools = new Load(this, (signal) => ask('/api/ai/usage/tools', { params: { ...scopeOf(params(), new Date()), top: ALL }, signal }));
    this.slow = new Load(this, (signal) => query(params(), { source: 'tool_calls', measures: ['duration_p95_us', 'runs'], dimensions: ['tool'], limit: ALL }, signal));
    this.series = new Load(this, (signal) => usage('timeseries', { of: 'tools', interval: spanOf(params(), new Date()).grain }, signal));
    this.failures = new Load(this, (signal) => usage('tools/failures', {}, signal));
    this.loads = [this.total, this.tools, this.slow, this.series, this.failures];
    this.addEventListener('tb-choose', (event) => address.set({ tool: /** @type {CustomEvent<string | null>} */ (event).detail }));
  }

  /** The tool that the page is about, as a filter. */
  #chosen() {
    const tool = address.get('tool');
    return tool ? [`tool:eq:${tool}`] : [];
  }

  #scope() {
    const scope = scopeOf(address.place.params, new Date());
    return { ...scope, filter: [...(scope.filter ?? []), ...this.#chosen()] };
  }

  /** Nothing is asked by filters that uses of tools do not have. */
  reload() {
    if (this.#strangers().length) this.requestUpdate();
    else super.reload();
  }

  #strangers() {
    return strangers(parse(address.get('q') ?? '').terms);
  }

  render() {
    const chosen = address.get('tool');
    const strange = this.#strangers();
    return html`
      <tb-control heading="Tools"></tb-control>
      ${strange.length
        ? html`<tb-condition state="empty" heading=${`Uses of tools are not known by ${strange.join(', ')}`}><p>Take that filter away. They can be filtered by ${TOOL_WORDS.join(', ')}.</p></tb-condition>`
        : html`
          ${chosen ? html`<p class="chosen">Only the tool <b>${chosen}</b> <button @click=${() => address.set({ tool: null })}>Show all tools</button></p>` : nothing}
          ${this.shown(this.total, (value) => this.#figures(value), 2)}
          ${this.tools.value?.total.uses === 0 ? this.#empty() : this.#rest(chosen)}`}
    `;
  }

  #empty() {
    return html`<tb-condition state="empty" heading="No tool was used in this time">
      <p>Choose another time or fewer filters. Tools that models ask for are recorded with their calls; <code>tallybook.tool</code> records how long they ran and whether they failed.</p>
    </tb-condition>`;
  }

  /** @param {import('../lib/question.js').Answer} value */
  #figures(value) {
    const [row] = value.rows;
    const [before] = value.previous ?? [];
    if (!row?.uses && !row?.failures) return nothing;
    const rate = row.uses ? row.failures / row.uses : null;
    const tools = this.tools.value?.tools ?? null;
    return html`<div class="panel figures">
      <tb-figure label="Tool calls" value=${count(row.uses)} exact=${exact(row.uses)} note=${tools && !address.get('tool') ? `${count(tools.length)} tools` : ''} .now=${row.uses} .earlier=${before?.uses ?? null}></tb-figure>
      <tb-figure label="Succeeded" value=${percent(rate === null ? null : 1 - rate)} exact=${`${exact(row.uses - row.failures)} of ${exact(row.uses)}`}></tb-figure>
      <tb-figure label="Failed" value=${percent(rate)} exact=${`${exact(row.failures)} of ${exact(row.uses)}`} .now=${rate} .earlier=${before?.uses ? before.failures / before.uses : null} rising="bad"></tb-figure>
      <tb-figure label="Average time" value=${ms(row.duration_avg_ms)} .now=${row.duration_avg_ms} .earlier=${before?.duration_avg_ms ?? null} rising="bad"></tb-figure>
      <tb-figure label="Time, P95" value=${ms(row.duration_p95_ms)} .now=${row.duration_p95_ms} .earlier=${before?.duration_p95_ms ?? null} rising="bad"></tb-figure>
      <tb-figure label="Calls that used tools" value=${count(row.calls)} exact=${exact(row.calls)} note=${row.runs ? `${count(row.runs)} runs` : ''} .now=${row.calls} .earlier=${before?.calls ?? null}></tb-figure>
    </div>`;
  }

  /** @param {string | null} chosen */
  #rest(chosen) {
    const params = address.place.params;
    return html`
      <div class="grid">
        <div class="panel">${this.shown(this.tools, ({ tools }) => html`<tb-outcome label="Most used" .rows=${tools.slice(0, MOST)} chosen=${chosen ?? ''}></tb-outcome>`, 8)}</div>
        <div class="panel">${this.shown(this.tools, ({ tools }) => html`<tb-share label="Share of uses" noun="Tool" unit="Uses" .parts=${tools.map((/** @type {any} */ row) => ({ name: row.tool, value: row.uses }))}></tb-share>`, 8)}</div>
        <div class="panel">${this.shown(this.series, ({ rows, span, interval }) => html`<tb-chart label="Uses over time" column="uses" form="bar" .format=${count} .points=${stackedPoints(rows, 'tool', 'uses', { steps: stepsOf(span, interval) })}></tb-chart>`, 8)}</div>
        <div class="panel">${this.shown(this.series, ({ rows, span, interval }) => html`<tb-chart label="Failures over time" column="failures" form="bar" .format=${count} .points=${stackedPoints(rows, 'tool', 'failures', { steps: stepsOf(span, interval) })}></tb-chart>`, 8)}</div>
      </div>
      <div class="panel">${this.shown(this.tools, ({ tools, total }) => html`<tb-table label="All tools" order="-uses" .columns=${TOOL_COLUMNS} .rows=${toolRows(tools, total.uses, this.slow.value?.rows ?? [])} .link=${(/** @type {Record<string, any>} */ row) => `/tools?${with_(params, 'tool', row.tool)}`}></tb-table>`, 8)}
        ${this.slow.error ? html`<p class="soft">P95 and runs are not known: ${this.slow.error.message}</p>` : nothing}</div>
      <div class="panel below">${this.shown(this.failures, (value) => this.#failures(value), 6)}</div>
    `;
  }

  /** @param {Record<string, any>} value */
  #failures(value) {
    const zone = address.get('zone') ?? ownZone();
    if (!value.rows.length) return html`<h2>Why they failed</h2><p class="soft">No use failed in this time.</p>`;
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Why they failed"><table class="failures">
      <caption>Why they failed</caption>
      <thead><tr><th scope="col">Tool</th><th scope="col">Error</th><th scope="col" class="number">Failed</th><th scope="col" class="number second">Of all failures</th><th scope="col" class="second">Last</th><th scope="col">Examples</th></tr></thead>
      <tbody>${value.rows.map((/** @type {any} */ row) => html`<tr>
        <th scope="row">${row.tool}</th><td class="error">${row.error}</td><td class="number" title=${exact(row.failures)}>${count(row.failures)}</td>
        <td class="number second">${percent(value.failures ? row.failures / value.failures : null)}</td>
        <td class="nowrap second">${row.last_at ? moment(row.last_at, zone) : '–'}</td>
        <td>${row.call_ids.length ? html`<ul>${row.call_ids.map((/** @type {string} */ id) => html`<li><a href=${`/calls?${with_(address.place.params, 'call', id)}`} title=${`The call ${id}`}>…${id.slice(-8)}</a></li>`)}</ul>` : html`<span class="soft">told without a call</span>`}</td></tr>`)}</tbody></table></div>
      ${value.is_cut ? html`<p class="soft">The first ${value.rows.length} kinds of ${exact(value.failures)} failures.</p>` : nothing}`;
  }
}

/** @param {URLSearchParams} params @param {string} name @param {string} value */
function with_(params, name, value) {
  const next = new URLSearchParams(params);
  next.delete('sort');
  next.delete('tool');
  next.set(name, value);
  return next;
}

customElements.define('tb-tools-page', ToolsPage);
