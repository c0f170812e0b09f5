/**
 * Models beside each other: cost, tokens, latency, failures, speed, share of the cache; and the same calls on another one.
 */
import { css, html } from '../vendor/lit-3.3.3.js';
import { GroupedPage } from '../component/grouped.js';
import { panel } from '../component/page.js';
import '../component/other-model.js';
import { GROUP, named } from '../lib/column.js';

class ModelsPage extends GroupedPage {
  static styles = [panel, css`.below { margin-top: var(--tb-4); }`];

  constructor() {
    const { calls, cost, each, input, output, cached, failed, median, slow, first, speed } = GROUP;
    super({ by: 'model', heading: 'Models', noun: 'model', columns: [named('model', 'Model'), calls, cost, each, input, output, cached, failed, median, slow, first, speed] });
  }

  more() {
    return html`<div class="panel below"><tb-other-model></tb-other-model></div>`;
  }
}

customElements.define('tb-models-page', ModelsPage);
