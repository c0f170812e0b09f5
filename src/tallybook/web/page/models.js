/**
 * Models beside each other: cost, tokens, latency, failures, speed, share of the cache.
 */
import { GroupedPage } from '../component/grouped.js';
import { GROUP, named } from '../lib/column.js';

class ModelsPage extends GroupedPage {
  constructor() {
    const { calls, cost, each, input, output, cached, failed, median, slow, first, speed } = GROUP;
    super({ by: 'model', heading: 'Models', noun: 'model', columns: [named('model', 'Model'), calls, cost, each, input, output, cached, failed, median, slow, first, speed] });
  }
}

customElements.define('tb-models-page', ModelsPage);
