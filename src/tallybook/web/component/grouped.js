/**
 * A page about one dimension: its cost over time by the largest groups, and a table of all of them.
 */
import { html } from '../vendor/lit-3.3.3.js';
import { Page, address } from './page.js';
import './chart.js';
import './coverage.js';
import './table.js';
import { GROUP_MEASURES } from '../lib/column.js';
import { count, money } from '../lib/format.js';
import { print } from '../lib/filter.js';
import { Load } from '../lib/load.js';
import { query, stackedPoints } from '../lib/question.js';
import { spanOf } from '../lib/range.js';
import { stepsOf } from '../lib/step.js';

const MOST = 1_000;

export class GroupedPage extends Page {
  /**
   * @param {{by: string, heading: string, noun: string, columns: import('../lib/table.js').Column[]}} about
   */
  constructor({ by, heading, noun, columns }) {
    super();
    this.by = by;
    this.heading = heading;
    this.noun = noun;
    this.columns = columns;
    const params = () => address.place.params;
    this.groups = new Load(this, (signal) => query(params(), { measures: [...GROUP_MEASURES], dimensions: [by], limit: MOST, order: '-cost_nanousd' }, signal));
    this.series = new Load(this, (signal) => query(params(), { measures: ['cost_nanousd', 'calls'], dimensions: [by], interval: spanOf(params(), new Date()).grain, limit: 10_000 }, signal));
    this.loads = [this.groups, this.series];
  }

  render() {
    const params = address.place.params;
    const steps = (/** @type {import('../lib/question.js').Answer} */ { span }) => stepsOf(span, spanOf(params, new Date()).grain);
    return html`
      <tb-control heading=${this.heading}><tb-coverage .coverage=${this.groups.value?.coverage}></tb-coverage></tb-control>
      ${this.groups.value?.rows.length === 0
        ? html`<tb-condition state="empty" heading="No calls in this time"><p>Choose another time or fewer filters.</p></tb-condition>`
        : html`
          <div class="grid">
            <div class="panel">${this.shown(this.series, (value) => html`<tb-chart label=${`Cost by ${this.noun}`} column="cost_nanousd" .format=${money} .points=${stackedPoints(value.rows, this.by, 'cost_nanousd', { steps: steps(value) })}></tb-chart>`, 8)}</div>
            <div class="panel">${this.shown(this.series, (value) => html`<tb-chart label=${`Calls by ${this.noun}`} column="calls" .format=${count} .points=${stackedPoints(value.rows, this.by, 'calls', { steps: steps(value) })}></tb-chart>`, 8)}</div>
          </div>
          <div class="panel">${this.shown(this.groups, (value) => html`<tb-table label=${`All ${this.noun}s`} order="-cost_nanousd" .columns=${this.columns} .rows=${value.rows} .link=${(/** @type {Record<string, any>} */ row) => this.#link(row, params)}></tb-table>`, 10)}</div>
          ${this.more()}`}
    `;
  }

  /** What a page has beside. @returns {unknown} */
  more() {
    return null;
  }

  /** The overview of one group. @param {Record<string, any>} row @param {URLSearchParams} params */
  #link(row, params) {
    const value = row[this.by];
    const term = print(value === null ? { field: this.by, op: 'missing', values: [] } : { field: this.by, op: 'eq', values: [String(value)] });
    const next = new URLSearchParams(params);
    next.delete('sort');
    next.set('q', [params.get('q'), term].filter(Boolean).join(' '));
    return `/?${next}`;
  }
}
