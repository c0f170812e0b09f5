/**
 * The first page: what was spent, on what, how slow it was and what failed, with the period before behind it.
 */
import { css, html, nothing } from '../vendor/lit-3.3.3.js';
import { Page, address, panel } from '../component/page.js';
import '../component/chart.js';
import '../component/coverage.js';
import '../component/figure.js';
import '../component/heat.js';
import '../component/month.js';
import '../component/ranking.js';
import { cachedShare } from '../lib/column.js';
import { count, duration, exact, money, percent } from '../lib/format.js';
import { Load } from '../lib/load.js';
import { monthScope, movedPoints, paired, pointsOf, query } from '../lib/question.js';
import { ownZone, spanOf } from '../lib/range.js';
import { filled, stepsOf } from '../lib/step.js';

const TOTALS = ['calls', 'errors', 'cost_nanousd', 'input_tokens', 'output_tokens', 'total_tokens', 'cache_read_tokens', 'cache_write_tokens', 'reasoning_tokens', 'duration_p50_us', 'duration_p95_us', 'ttft_p50_us', 'ttft_p95_us', 'users', 'unpriced_calls'];
const SERIES = ['calls', 'errors', 'cost_nanousd', 'input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_tokens', 'reasoning_tokens', 'duration_p50_us', 'duration_p95_us', 'ttft_p50_us'];
/** What a step without calls comes to: the times of no answer are unknown. */
const NOTHING = Object.freeze(/** @type {Record<string, 0>} */ (Object.fromEntries(SERIES.filter((name) => !name.includes('_p')).map((name) => [name, 0]))));
const GROUPS = [['model', 'By model'], ['project', 'By project'], ['user_id', 'By user'], ['operation', 'By operation'], ['agent_name', 'By agent'], ['provider', 'By provider']];
const GROUP_MEASURES = ['cost_nanousd', 'calls', 'unpriced_calls'];
const MOST = 8;

class OverviewPage extends Page {
  static styles = [panel, css`
    .figures { display: grid; gap: var(--tb-3) var(--tb-5); grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); margin-bottom: var(--tb-4); }
  `];

  constructor() {
    super();
    const params = () => address.place.params;
    this.total = new Load(this, (signal) => query(params(), { measures: TOTALS, isCompared: true }, signal));
    this.series = new Load(this, (signal) => course(params(), signal));
    this.groups = GROUPS.map(([by]) => new Load(this, (signal) => query(params(), { measures: GROUP_MEASURES, dimensions: [by], limit: MOST, isCompared: true, order: '-cost_nanousd' }, signal)));
    this.heat = new Load(this, (signal) => query(params(), { measures: ['cost_nanousd'], dimensions: ['day_of_week', 'hour_of_day'], limit: 200 }, signal));
    this.month = new Load(this, (signal) => query(monthScope(params(), new Date()), { measures: ['cost_nanousd', 'unpriced_calls'], interval: 'day', limit: 100 }, signal));
    /** What is seen first, and what lies below. */
    this.above = [this.total, this.month, this.series];
    this.below = [...this.groups, this.heat];
    this.loads = [...this.above, ...this.below];
    this._turn = 0;
    /** @type {string | null} */
    this._budget = null;
  }

  /** What is seen first is asked first: the rest would share the server with it. */
  async reload() {
    const budget = address.get('budget');
    const isBudget = budget !== this._budget;
    this._budget = budget;
    if (isBudget && this._turn) return; // It changes no figure.
    const turn = ++this._turn;
    for (const load of this.below) load.wait();
    await Promise.all(this.above.map((load) => load.again()));
    if (turn === this._turn && this.isConnected) for (const load of this.below) load.again();
  }

  render() {
    return html`
      <tb-control heading="Overview"></tb-control>
      ${this.shown(this.total, (value) => this.#figures(value), 2)}
      ${this.total.value?.coverage?.calls === 0 ? this.#empty() : this.#rest()}
    `;
  }

  #empty() {
    return html`<tb-condition state="empty" heading="No calls in this time">
      <p>Choose another time or fewer filters. To record calls: <code>tallybook.instrument()</code> in a Python program,
      <code>POST /api/ai-usage</code> from anything else, or point <code>OTEL_EXPORTER_OTLP_ENDPOINT</code> here.</p>
    </tb-condition>`;
  }

  /** @param {import('../lib/question.js').Answer} value */
  #figures(value) {
    const [row] = value.rows;
    const [before] = value.previous.length ? value.previous : [null];
    if (!row?.calls) return nothing;
    const rate = row.errors / row.calls;
    const tokens = `${exact(row.input_tokens)} in, ${exact(row.output_tokens)} out, ${exact(row.cache_read_tokens)} from cache, ${exact(row.reasoning_tokens)} reasoning`;
    return html`<div class="panel figures">
      <tb-figure label="Cost" value=${`${money(row.cost_nanousd)}${row.unpriced_calls ? '+' : ''}`} exact=${`${exact(row.cost_usd)} USD`} .now=${row.cost_nanousd} .earlier=${before?.cost_nanousd ?? null} rising="bad"><tb-coverage .coverage=${value.coverage}></tb-coverage></tb-figure>
      <tb-figure label="Calls" value=${count(row.calls)} exact=${exact(row.calls)} .now=${row.calls} .earlier=${before?.calls ?? null}></tb-figure>
      <tb-figure label="Tokens" value=${count(row.total_tokens)} exact=${tokens} .now=${row.total_tokens} .earlier=${before?.total_tokens ?? null}></tb-figure>
      <tb-figure label="Input from cache" value=${percent(cachedShare(row))} exact=${`${exact(row.cache_read_tokens)} of ${exact(row.input_tokens)} tokens`}></tb-figure>
      <tb-figure label="Failed" value=${percent(rate)} exact=${`${exact(row.errors)} of ${exact(row.calls)} calls`} .now=${rate} .earlier=${before?.calls ? before.errors / before.calls : null} rising="bad"></tb-figure>
      <tb-figure label="Response time, P95" value=${duration(us(row.duration_p95_ms))} note=${`median ${duration(us(row.duration_p50_ms))}`} .now=${row.duration_p95_ms} .earlier=${before?.duration_p95_ms ?? null} rising="bad"></tb-figure>
      <tb-figure label="First token, P95" value=${duration(us(row.ttft_p95_ms))} note=${`median ${duration(us(row.ttft_p50_ms))}`}></tb-figure>
      <tb-figure label="Users" value=${count(row.users)} exact=${exact(row.users)} .now=${row.users} .earlier=${before?.users ?? null}></tb-figure>
    </div>`;
  }

  #rest() {
    return html`
      <div class="grid">
        <div class="panel wide">${this.shown(this.month, (value) => html`<tb-month .rows=${value.rows} .zone=${address.get('zone') ?? ownZone()} .isPartial=${value.rows.some((/** @type {any} */ row) => row.unpriced_calls)}></tb-month>`, 3)}</div>
        <div class="panel wide">${this.shown(this.series, (value) => html`<tb-chart label="Cost" column="cost_nanousd" form="bar" .format=${money} .points=${pointsOf(value.rows, 'cost_nanousd', 'cost')} .previous=${movedPoints(value.rows, value.previous, 'cost_nanousd')}></tb-chart>`, 8)}</div>
        <div class="panel">${this.shown(this.series, (value) => html`<tb-chart label="Tokens by kind" column="tokens" .format=${count} .points=${buckets(value.rows)}></tb-chart>`, 8)}</div>
        <div class="panel">${this.shown(this.series, (value) => html`<tb-chart label="Calls and failures" column="calls" .format=${count} .points=${[...pointsOf(value.rows, 'calls', 'calls'), ...pointsOf(value.rows, 'errors', 'failed')]} .previous=${movedPoints(value.rows, value.previous, 'calls')}></tb-chart>`, 8)}</div>
        <div class="panel">${this.shown(this.series, (value) => html`<tb-chart label="Response time" column="duration_ms" .format=${(/** @type {number | null} */ ms) => duration(us(ms))} .points=${[...pointsOf(value.rows, 'duration_p50_ms', 'median'), ...pointsOf(value.rows, 'duration_p95_ms', 'P95'), ...pointsOf(value.rows, 'ttft_p50_ms', 'first token, median')]}></tb-chart>`, 8)}</div>
      </div>
      <div class="grid">${GROUPS.map(([by, label], number) => html`<div class="panel">${this.shown(this.groups[number], (value) => html`<tb-ranking label=${label} by=${by} .pairs=${paired(value, by)} .whole=${this.total.value?.rows[0]?.cost_nanousd ?? null} .isCut=${value.is_cut}></tb-ranking>`)}</div>`)}</div>
      <div class="panel">${this.shown(this.heat, (value) => html`<tb-heat label="Cost by hour of the week" zone=${address.get('zone') ?? ownZone()} .rows=${value.rows}></tb-heat>`, 7)}</div>
    `;
  }
}

/** Every step of the time and of the one before. @param {URLSearchParams} params @param {AbortSignal} signal @returns {Promise<import('../lib/question.js').Answer>} */
async function course(params, signal) {
  const { grain } = spanOf(params, new Date());
  const answer = await query(params, { measures: SERIES, interval: grain, isCompared: true, limit: 2_000 }, signal);
  const whole = (/** @type {Record<string, any>[]} */ rows, /** @type {any} */ span) => filled(rows, stepsOf(span, grain), NOTHING);
  return { ...answer, rows: whole(answer.rows, answer.span), previous: whole(answer.previous ?? [], answer.compared_with) };
}

/** @param {number | null | undefined} ms */
function us(ms) {
  return ms === null || ms === undefined ? null : ms * 1_000;
}

/** Buckets that do not overlap, so that they add up. @param {Record<string, any>[]} rows */
function buckets(rows) {
  const fresh = rows.map((row) => ({ ...row, fresh: row.input_tokens === null ? null : row.input_tokens - (row.cache_read_tokens ?? 0) - (row.cache_write_tokens ?? 0), visible: row.output_tokens === null ? null : row.output_tokens - (row.reasoning_tokens ?? 0) }));
  return [...pointsOf(fresh, 'fresh', 'input'), ...pointsOf(fresh, 'cache_read_tokens', 'cache read'), ...pointsOf(fresh, 'cache_write_tokens', 'cache write'), ...pointsOf(fresh, 'visible', 'output'), ...pointsOf(fresh, 'reasoning_tokens', 'reasoning')];
}

customElements.define('tb-overview-page', OverviewPage);
