/**
 * Projects: what each of them costs, and how many users it has.
 */
import { GroupedPage } from '../component/grouped.js';
import { GROUP, named } from '../lib/column.js';

class ProjectsPage extends GroupedPage {
  constructor() {
    const { calls, cost, each, users, input, output, cached, failed, slow, last } = GROUP;
    super({ by: 'project', heading: 'Projects', noun: 'project', columns: [named('project', 'Project'), calls, cost, each, users, input, output, cached, failed, slow, last] });
  }
}

customElements.define('tb-projects-page', ProjectsPage);
