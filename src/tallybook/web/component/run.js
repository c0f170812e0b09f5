/**
 * One run: its conversation, its execution, how its context grew, what it is about; a call beside it when one is open.
 */
import { css, html, nothing } from '../vendor/lit-3.3.3.js';
import { Page, address, panel } from './page.js';
import { controls } from './run-style.js';
import './call-detail.js';
import './chart.js';
import './conversation.js';
import './figure.js';
import './run-head.js';
import './tree.js';
import { scores } from './scores.js';
import { ApiError, ask } from '../lib/api.js';
import { ms } from '../lib/column.js';
import { conversation } from '../lib/conversation.js';
import { count, exact, moment, money, percent } from '../lib/format.js';
import { isSingleKey } from '../lib/keys.js';
import { Load } from '../lib/load.js';
import { localDate, ownZone } from '../lib/range.js';
import { cached, growth, nameOf, runApi } from '../lib/run.js';

const MOST = 200;
const AGAIN_MS = 2_000;
const VIEWS = Object.freeze({ conversation: 'Conversation', execution: 'Execution', context: 'Context', about: 'About' });

class Run extends Page {
  static properties = { runId: { type: String } };

  static styles = [panel, controls, css`
    .figures { display: grid; gap: var(--tb-3) var(--tb-5); grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); margin-bottom: var(--tb-4); }
    nav { display: flex; flex-wrap: wrap; gap: var(--tb-2); border-bottom: 1px solid var(--tb-line); margin-bottom: var(--tb-4); }
    nav a { padding: var(--tb-2) var(--tb-3); color: var(--tb-text-soft); text-decoration: none; border-bottom: 3px solid transparent; }
    nav a[aria-current] { color: var(--tb-accent); border-color: var(--tb-accent); font-weight: 600; }
    .two { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--tb-4); align-items: start; }
    .two.open { grid-template-columns: minmax(0, 1fr) minmax(22rem, 30rem); }
    aside { position: sticky; top: var(--tb-3); max-height: calc(100dvh - 2 * var(--tb-3)); overflow: auto; }
    aside .close { float: right; }
    dl.about { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: var(--tb-1) var(--tb-4); margin: 0; }
    dl.about dt { color: var(--tb-text-soft); }
    dl.about dd { margin: 0; overflow-wrap: anywhere; }
    pre { background: var(--tb-sunken); border-radius: 4px; padding: var(--tb-3); overflow: auto; font: var(--tb-size-small)/1.45 var(--tb-mono); max-height: 24rem; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
    .scores { margin-bottom: var(--tb-4); }
    .scores h2 { font-size: var(--tb-size); margin: 0 0 var(--tb-2); }
    .scores table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
    .scores th, .scores td { text-align: left; font-weight: 400; padding: 0.15rem var(--tb-5) 0.15rem 0; vertical-align: top; overflow-wrap: anywhere; }
    .scores th { color: var(--tb-text-soft); }
    .note { color: var(--tb-text-soft); margin: 0 0 var(--tb-3); }
    @media (max-width: 75rem) { .two.open { grid-template-columns: minmax(0, 1fr); } aside { position: static; max-height: none; grid-row: 1; } }
  `];

  constructor() {
    super();
    this.runId = '';
    /** @type {number | undefined} */
    this._timer = undefined;
    const own = () => runApi({ run_id: this.runId });
    this.run = new Load(this, (signal) => this.#found(own(), signal));
    this.tree = new Load(this, (signal) => ask(`${own()}/tree`, { signal }));
    this.messages = new Load(this, (signal) => this.#messages(own(), signal));
    this.tasks = new Load(this, (signal) => everyTask(own(), signal));
    this.loads = [this.run, this.tree, this.messages, this.tasks];
    this.addEventListener('tb-changed', (event) => { event.stopPropagation(); this.run.again(); });
    this.addEventListener('tb-open', (event) => this.#open(/** @type {CustomEvent} */ (event).detail.call));
    // A run has its own span of time: what is dragged on its charts is none of the page's.
    this.addEventListener('tb-zoom', (event) => event.stopImmediatePropagation(), { capture: true });
    this._keys = (/** @type {KeyboardEvent} */ event) => { if (isSingleKey(event) && event.key === 'Escape' && address.get('call')) this.#open(null); };
  }

  connectedCallback() {
    super.connectedCallback();
    window.addEventListener('keydown', this._keys);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    window.removeEventListener('keydown', this._keys);
    window.clearTimeout(this._timer);
  }

  /** Another part of the page or another call is no new question; only another run is. */
  reload() {
    if (this.runId && this.runId !== this._asked) {
      for (const load of this.loads) load.value = null;
      this._asked = this.runId;
      super.reload();
    } else {
      for (const load of this.loads) if (load.error) load.again();
    }
    this.requestUpdate();
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (changed.has('runId')) this.reload();
  }

  updated() {
    const run = this.run.value;
    if (!run) return;
    document.title = `${nameOf(run)} · Runs · Tallybook`;
    window.clearTimeout(this._timer);
    // While something is being generated, what is shown follows it.
    if (run.open_task_count) this._timer = window.setTimeout(() => super.reload(), AGAIN_MS);
  }

  /** @param {string} path @param {AbortSignal} signal */
  async #found(path, signal) {
    try {
      return await ask(path, { signal });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      const { runs } = await ask('/api/v1/runs', { params: { deleted: 'true', run_id: this.runId }, signal });
      if (!runs.length) throw error;
      return runs[0];
    }
  }

  /** @param {string} path @param {AbortSignal} signal */
  async #messages(path, signal) {
    // What was there stays there: as many pages as are shown now.
    const held = this.messages.value?.messages.length ?? 0;
    /** @type {Record<string, any>[]} */
    const messages = [];
    let cursor = null;
    do {
      const page = await ask(`${path}/messages`, { params: { limit: MOST, cursor }, signal });
      messages.push(...page.messages);
      cursor = page.cursor;
    } while (cursor && messages.length < held);
    return { messages, cursor };
  }

  get #zone() {
    return address.get('zone') ?? ownZone();
  }

  render() {
    return this.shown(this.run, (run) => (run.deleted_at ? this.#bin(run) : html`<tb-run-head .run=${run} .zone=${this.#zone}></tb-run-head>${this.#body(run)}`), 12);
  }

  /** @param {Record<string, any>} run */
  #bin(run) {
    return html`<h1>${nameOf(run)}</h1><p>This run is in the bin since ${moment(run.deleted_at, this.#zone)}. After 30 days it is deleted for good.</p>
      <button @click=${async () => { await ask(`${runApi(run)}/restore`, { method: 'POST' }); super.reload(); }}>Restore</button>`;
  }

  /** @param {Record<string, any>} run */
  #body(run) {
    const usual = run.message_count || run.task_count ? 'conversation' : 'execution';
    const view = address.get('view') ?? usual;
    const open = address.get('call');
    return html`
      ${this.shown(this.tree, (tree) => html`${this.#figures(run, tree)}${tree.feedback?.length ? html`<section class="panel scores">${scores(tree.feedback, html`<h2 id="scores">Scores</h2>`)}</section>` : nothing}`, 2)}
      <nav aria-label="Parts of the run">${Object.entries(VIEWS).map(([name, label]) => html`<a href=${this.#href(name === usual ? null : name)} aria-current=${name === view ? 'page' : nothing}
        @click=${(/** @type {MouseEvent} */ event) => this.#show(event, name === usual ? null : name)}>${label}${name === 'conversation' && run.message_count ? ` (${count(run.message_count)})` : ''}</a>`)}</nav>
      <div class="two ${open ? 'open' : ''}">
        <div>${this.#view(view, run)}</div>
        ${open ? html`<aside class="panel" aria-label="One call"><button class="close" aria-label="Close" @click=${() => this.#open(null)}>✕</button><tb-call-detail .callId=${open} .zone=${this.#zone}></tb-call-detail></aside>` : nothing}
      </div>`;
  }

  /** @param {string} view @param {Record<string, any>} run */
  #view(view, run) {
    if (view === 'about') return this.#about(run);
    if (view === 'conversation') return this.shown(this.messages, (messages) => this.shown(this.tasks, (tasks) => this.shown(this.tree, (tree) => this.#conversation(messages, tasks, tree), 8), 8), 8);
    return this.shown(this.tree, (tree) => (view === 'context' ? this.#context(tree) : this.#execution(tree)), 10);
  }

  /** @param {Record<string, any>} run @param {Record<string, any>} tree */
  #figures(run, tree) {
    const { read, input } = cached(tree.nodes);
    return html`<div class="panel figures">
      <tb-figure label="Cost" value=${tree.calls && tree.cost_nanousd === null ? 'unpriced' : `${money(tree.cost_nanousd)}${tree.unpriced_calls && tree.priced_calls ? '+' : ''}`} exact=${`${exact(tree.cost_usd)} USD${tree.unpriced_calls ? `, ${exact(tree.unpriced_calls)} calls unpriced` : ''}`}></tb-figure>
      <tb-figure label="Calls" value=${count(tree.calls)} exact=${exact(tree.calls)} note=${failed(tree.failed_calls)}></tb-figure>
      ${tree.steps ? html`<tb-figure label="Steps" value=${count(tree.steps)} exact=${exact(tree.steps)} note=${failed(tree.errors - tree.failed_calls)}></tb-figure>` : nothing}
      <tb-figure label="Tokens" value=${count(tree.input_tokens + tree.output_tokens)} exact=${`${exact(tree.input_tokens)} in, ${exact(tree.output_tokens)} out`} note=${`${count(tree.input_tokens)} in, ${count(tree.output_tokens)} out`}></tb-figure>
      <tb-figure label="Input from cache" value=${percent(input ? read / input : null)} exact=${`${exact(read)} of ${exact(input)} tokens`}></tb-figure>
      <tb-figure label="From first to last" value=${ms(tree.duration_ms)} note=${tree.started_at ? moment(tree.started_at, this.#zone) : ''}></tb-figure>
      ${run.message_count ? html`<tb-figure label="Messages" value=${count(run.message_count)} exact=${exact(run.message_count)}></tb-figure>` : nothing}
    </div>`;
  }

  /** @param {Record<string, any>} found @param {Record<string, any>[]} tasks @param {Record<string, any>} tree */
  #conversation(found, tasks, tree) {
    const entries = conversation(found.messages, tasks, tree.nodes, found.cursor === null && !tree.is_cut);
    if (!entries.some((entry) => entry.kind !== 'rest')) {
      return html`<tb-condition state="empty" heading="No messages"><p>Calls were seen, and no messages were handed in. <code>run.message("user", …)</code> or <code>POST /api/v1/runs/…/messages</code> keeps them; the execution shows each call.</p></tb-condition>`;
    }
    return html`${this.#cut(tree)}<tb-conversation .entries=${entries} .zone=${this.#zone}></tb-conversation>
      ${found.cursor ? html`<p><button @click=${() => this.#more(found)}>More messages</button></p>` : nothing}`;
  }

  /** @param {Record<string, any>} tree */
  #execution(tree) {
    if (!tree.nodes.length) return html`<tb-condition state="empty" heading="Nothing has run yet"><p>Calls and steps appear here as they end.</p></tb-condition>`;
    return html`<div class="panel">${this.#cut(tree)}<tb-tree .nodes=${tree.nodes} .total=${tree.duration_ms} .selected=${address.get('call') ?? ''}></tb-tree></div>`;
  }

  /** @param {Record<string, any>} tree */
  #cut(tree) {
    return tree.is_cut ? html`<p class="note">The first ${exact(tree.nodes.length)} of ${exact(tree.calls + tree.steps)} calls and steps are shown; the sums are those of all.</p>` : nothing;
  }

  /** @param {Record<string, any>} tree */
  #context(tree) {
    const { size, share } = growth(tree.nodes, (iso) => localDate(iso, this.#zone));
    if (!size.length) return html`<tb-condition state="empty" heading="No tokens were told"><p>How the context grows is read off the input of each call.</p></tb-condition>`;
    return html`${this.#cut(tree)}<div class="grid">
      <div class="panel wide"><tb-chart label="Input of each call" column="input_tokens" .format=${count} .points=${size}></tb-chart></div>
      <div class="panel wide"><tb-chart label="Share of the input that came from the cache" column="cache_share" .format=${percent} .points=${share}></tb-chart></div>
    </div>`;
  }

  /** @param {Record<string, any>} run */
  #about(run) {
    const rows = {
      Run: run.run_id, Description: run.description, 'Made from': [run.source_type, run.source_id].filter(Boolean).join(' '), Project: run.project, User: run.user_id, Session: run.session_id, Agent: run.agent_name,
      Made: run.created_at && moment(run.created_at, this.#zone), 'Last activity': run.updated_at && moment(run.updated_at, this.#zone), Completed: run.completed_at && moment(run.completed_at, this.#zone),
      Tasks: run.task_count ? `${exact(run.task_count)}, the last one ${run.last_task_status}` : null, 'Command line': `tallybook show ${run.run_id}`,
    };
    const objects = { Settings: run.settings, 'Variable values': run.variable_values, 'Broker values': run.broker_values, Metadata: run.metadata };
    return html`<div class="panel"><dl class="about">${Object.entries(rows).filter(([, value]) => value).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></div>
      ${Object.entries(objects).filter(([, value]) => Object.keys(value ?? {}).length).map(([name, value]) => html`<h2>${name}</h2><pre tabindex="0" role="region" aria-label=${name}>${JSON.stringify(value, null, 2)}</pre>`)}`;
  }

  /** @param {string | null} view */
  #href(view) {
    const params = new URLSearchParams(address.place.params);
    params.delete('view');
    if (view) params.set('view', view);
    return `${address.place.path}${params.size ? `?${params}` : ''}`;
  }

  /** @param {MouseEvent} event @param {string | null} view */
  #show(event, view) {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    address.set({ view });
  }

  /** @param {string | null} id */
  #open(id) {
    address.set({ call: id });
  }

  /** @param {Record<string, any>} found */
  async #more(found) {
    const page = await ask(`${runApi({ run_id: this.runId })}/messages`, { params: { limit: MOST, cursor: found.cursor } });
    this.messages.value = { messages: [...found.messages, ...page.messages], cursor: page.cursor };
    this.requestUpdate();
  }
}

/** @param {string} path @param {AbortSignal} signal @returns {Promise<Record<string, any>[]>} */
async function everyTask(path, signal) {
  /** @type {Record<string, any>[]} */
  const tasks = [];
  let cursor = null;
  do {
    const page = await ask(`${path}/tasks`, { params: { limit: MOST, cursor }, signal });
    tasks.push(...page.tasks);
    cursor = page.cursor;
  } while (cursor);
  return tasks;
}

/** @param {number} number of calls or steps @returns {string} empty where none failed */
function failed(number) {
  return number ? `${count(number)} failed` : '';
}

customElements.define('tb-run', Run);
