/**
 * Projects: those created and those that calls name, and a form for one more.
 */
import { html } from '../vendor/lit-3.3.3.js';
import { Section } from './section.js';
import { ask } from '../lib/api.js';
import { moment } from '../lib/format.js';
import { print } from '../lib/filter.js';
import { Load } from '../lib/load.js';
import { ownZone } from '../lib/range.js';
import { isoOf } from '../lib/setting.js';

class ProjectList extends Section {
  constructor() {
    super();
    this.load = new Load(this, (signal) => ask('/api/v1/projects', { signal }));
  }

  render() {
    return html`<h2 id="projects">Projects</h2>
      <p class="soft">Usage logs sent over HTTP name a project that is known here: created, or named by calls before.</p>
      ${this.shown(({ projects }) => (projects.length ? this.#table(projects) : html`<p>There is none yet.</p>`))}
      <form aria-label="Create a project" @submit=${(/** @type {SubmitEvent} */ event) => this.#create(event)}>
        <label>Project<input name="project" required autocomplete="off" maxlength="200" /></label>
        <label>Name<input name="name" autocomplete="off" maxlength="200" /></label>
        <button class="first">Create</button>
      </form>
      ${this.problem()}`;
  }

  /** @param {Record<string, any>[]} projects */
  #table(projects) {
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Projects"><table aria-labelledby="projects">
      <thead><tr><th scope="col">Project</th><th scope="col">Name</th><th scope="col">Known by</th></tr></thead>
      <tbody>${projects.map((one) => html`<tr><th scope="row"><a href=${`/?${new URLSearchParams({ q: print({ field: 'project', op: 'eq', values: [one.project] }) })}`}>${one.project}</a></th><td>${one.name ?? '–'}</td>
        <td>${one.created_at_us ? `created ${moment(isoOf(one.created_at_us) ?? '', ownZone()).slice(0, 16)}` : 'its calls'}</td></tr>`)}</tbody></table></div>`;
  }

  /** @param {SubmitEvent} event */
  async #create(event) {
    event.preventDefault();
    const place = /** @type {HTMLFormElement} */ (event.target);
    const given = new FormData(place);
    const body = { project: String(given.get('project')).trim(), name: String(given.get('name')).trim() || null };
    if (await this.attempt(() => ask('/api/v1/projects', { method: 'POST', body }))) {
      place.reset();
      await this.load?.again();
    }
  }
}

customElements.define('tb-project-list', ProjectList);
