/**
 * How the server is, and what an examination of the ledger finds.
 */
import { css, html, nothing } from '../vendor/lit-3.3.3.js';
import { Section, form } from './section.js';
import './figure.js';
import { ask } from '../lib/api.js';
import { count, exact } from '../lib/format.js';
import { Load } from '../lib/load.js';
import { gravest, verdict } from '../lib/setting.js';

const MARKS = Object.freeze(/** @type {Record<string, string>} */ ({ bad: '✗ fault', warn: '! warning', note: '• note', good: '✓ good' }));

class FindingList extends Section {
  static styles = [form, css`
    .figures { display: grid; gap: var(--tb-3) var(--tb-5); grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); margin-bottom: var(--tb-4); }
    ul { list-style: none; margin: 0 0 var(--tb-3); padding: 0; }
    li { display: grid; grid-template-columns: 5.5rem 1fr; gap: var(--tb-3); padding: var(--tb-2) 0; border-bottom: 1px solid var(--tb-line); }
    li p { margin: 0; overflow-wrap: anywhere; }
    @media (max-width: 34rem) { li { grid-template-columns: 1fr; gap: 0; } }
  `];

  constructor() {
    super();
    this.load = new Load(this, (signal) => ask('/api/v1/doctor', { signal }));
    this.health = new Load(this, (signal) => ask('/healthz', { signal }));
  }

  connectedCallback() {
    super.connectedCallback();
    this.health.again();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.health.stop();
  }

  render() {
    return html`<h2>Health</h2>
      ${this.health.error ? html`<tb-condition state="error" .error=${this.health.error}></tb-condition>` : this.health.value ? this.#health(this.health.value) : nothing}
      <h3>What an examination finds</h3>
      ${this.shown(({ findings }) => html`<p><b>${verdict(findings)}</b></p>
        <ul>${gravest(findings).map((one) => html`<li><span class=${one.grade === 'note' ? 'soft' : one.grade}>${MARKS[one.grade]}</span>
          <div><p>${one.text}</p>${one.remedy ? html`<p class="soft">→ ${one.remedy}</p>` : nothing}</div></li>`)}</ul>
        <button ?disabled=${this.load?.isLoading} @click=${() => { this.load?.again(); this.health.again(); }}>${this.load?.isLoading ? 'Looking …' : 'Look again'}</button>`, 8)}`;
  }

  /** @param {Record<string, any>} value */
  #health(value) {
    return html`<div class="figures">
      <tb-figure label="Server" value=${value.ok ? 'well' : 'in trouble'} note=${`version ${value.version}`}></tb-figure>
      <tb-figure label="Records taken" value=${count(value.accepted)} exact=${exact(value.accepted)} note="since it started"></tb-figure>
      <tb-figure label="Records refused" value=${count(value.refused)} exact=${exact(value.refused)}></tb-figure>
      <tb-figure label="Failures" value=${count(value.failures)} exact=${exact(value.failures)}></tb-figure>
    </div>
    ${value.alerts.map((/** @type {any} */ one) => html`<p class=${one.grade} role="alert">${one.message || one.code}${one.hint ? ` – ${one.hint}` : ''}</p>`)}`;
  }
}

customElements.define('tb-finding-list', FindingList);
