/**
 * The settings in force, to read, each with how it is changed.
 */
import { css, html, nothing } from '../vendor/lit-3.3.3.js';
import { Section, form } from './section.js';
import { ask } from '../lib/api.js';
import { Load } from '../lib/load.js';
import { GROUPS, labelOf, wordsOf } from '../lib/setting.js';

class SettingList extends Section {
  static styles = [form, css`
    table { table-layout: fixed; margin-bottom: var(--tb-4); }
    th, td { overflow-wrap: anywhere; }
    th:first-child { width: 34%; }
    th.second, td.second { width: 34%; }
  `];

  constructor() {
    super();
    this.load = new Load(this, (signal) => ask('/api/v1/settings', { signal }));
  }

  render() {
    return html`<h2>Retention, contents and the rest</h2>
      ${this.shown((value) => html`
        <p class="soft">As this server runs with them. To change one, set its variable, or write it into <code>${value.file}</code>, and start the server again; programs that record have settings of their own.</p>
        ${GROUPS.map((group) => this.#group(group, new Map(value.settings.map((/** @type {any} */ one) => [one.name, one]))))}`, 8)}`;
  }

  /** @param {{heading: string, names: string[]}} group @param {Map<string, import('../lib/setting.js').Setting>} known */
  #group({ heading, names }, known) {
    return html`<div class="scroll" tabindex="0" role="region" aria-label=${heading}><table><caption>${heading}</caption>
      <thead><tr><th scope="col">Setting</th><th scope="col">In force</th><th scope="col" class="second">Changed by</th></tr></thead>
      <tbody>${names.flatMap((name) => known.get(name) ?? []).map((one) => html`<tr><th scope="row">${labelOf(one.name)}</th>
        <td>${wordsOf(one)}${one.is_default ? nothing : html` <span class="soft">(set)</span>`}</td><td class="second"><code>${one.variable}</code></td></tr>`)}</tbody></table></div>`;
  }
}

customElements.define('tb-setting-list', SettingList);
