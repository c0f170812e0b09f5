/**
 * Users: what each of them costs, and when they were last seen.
 */
import { GroupedPage } from '../component/grouped.js';
import { GROUP, named } from '../lib/column.js';

class UsersPage extends GroupedPage {
  constructor() {
    const { calls, cost, each, input, output, cached, failed, slow, last } = GROUP;
    super({ by: 'user_id', heading: 'Users', noun: 'user', columns: [named('user_id', 'User'), calls, cost, each, input, output, cached, failed, slow, last] });
  }
}

customElements.define('tb-users-page', UsersPage);
