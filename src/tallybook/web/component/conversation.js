/**
 * The messages of a run, with what each took and what the run has cost up to there.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import { attachmentOf, costOf, plus, textsOf } from '../lib/conversation.js';
import { count, exact, moment, money } from '../lib/format.js';
import { ms } from '../lib/column.js';

/** @typedef {import('../lib/conversation.js').Entry} Entry */
/** @typedef {import('../lib/conversation.js').Sum} Sum */

const LONG = 3_000;

class Conversation extends LitElement {
  static properties = { entries: { attribute: false }, zone: { type: String } };

  static styles = css`
    :host { display: block; }
    ol { list-style: none; margin: 0; padding: 0; display: grid; gap: var(--tb-3); }
    li.entry { border: 1px solid var(--tb-line); border-radius: var(--tb-radius); background: var(--tb-surface); padding: var(--tb-3) var(--tb-4); max-width: 60rem; min-width: 0; }
    li.user { background: var(--tb-accent-soft); margin-left: min(4rem, 8vw); }
    li.system, li.developer, li.tool { background: var(--tb-sunken); }
    li.task, li.rest { border-style: dashed; }
    .top { display: flex; flex-wrap: wrap; gap: 0 var(--tb-3); align-items: baseline; color: var(--tb-text-soft); font-size: var(--tb-size-small); }
    .top b { color: var(--tb-text); font-size: var(--tb-size); }
    .text { white-space: pre-wrap; overflow-wrap: anywhere; margin: var(--tb-2) 0; }
    .bad { color: var(--tb-bad); }
    ul { display: flex; flex-wrap: wrap; gap: var(--tb-2); list-style: none; margin: var(--tb-2) 0; padding: 0; font-size: var(--tb-size-small); }
    ul li { border: 1px solid var(--tb-line); border-radius: 1rem; padding: 0 0.7rem; background: var(--tb-surface); overflow-wrap: anywhere; }
    dl { display: flex; flex-wrap: wrap; gap: var(--tb-1) var(--tb-4); margin: var(--tb-2) 0 0; padding-top: var(--tb-2); border-top: 1px solid var(--tb-line); font-size: var(--tb-size-small); font-variant-numeric: tabular-nums; align-items: baseline; }
    dl div { display: flex; gap: var(--tb-1); }
    dt { color: var(--tb-text-soft); }
    dd { margin: 0; }
    summary { cursor: pointer; color: var(--tb-accent); }
    a { color: var(--tb-accent); }
    button { font: inherit; color: var(--tb-accent); background: none; border: 0; padding: 0 var(--tb-1); min-height: 1.5rem; cursor: pointer; text-decoration: underline; }
    :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
  `;

  constructor() {
    super();
    /** @type {Entry[]} */
    this.entries = [];
    this.zone = 'UTC';
  }

  render() {
    return html`<ol aria-label="Messages">${this.entries.map((entry) => this.#entry(entry))}</ol>`;
  }

  /** @param {Entry} entry */
  #entry(entry) {
    const { kind, message, task, own, total } = entry;
    const texts = message ? textsOf(message.content) : task ? textsOf(task.response_text) : [];
    const at = message?.created_at ?? task?.started_at ?? task?.created_at;
    const who = kind === 'rest' ? 'After the last message' : message ? (message.name ? `${message.role}, ${message.name}` : message.role) : (task?.task_name ?? task?.service ?? 'Task');
    return html`<li class="entry ${message?.role ?? kind}">
      <div class="top"><b>${who}</b>${at ? html`<span>${moment(at, this.zone)}</span>` : nothing}
        ${task && (!message || own.calls) ? html`<span class=${task.status === 'failed' ? 'bad' : ''}>${task.status}</span><span>${task.response_model ?? task.model ?? ''}</span>${task.duration_ms === null ? nothing : html`<span>${ms(task.duration_ms)}</span>`}` : nothing}</div>
      ${texts.map((text) => this.#text(text))}
      ${task?.error_message && (!message || own.calls) ? html`<p class="text bad">${task.error_message}</p>` : nothing}
      ${message?.attachments?.length ? html`<ul aria-label="Attachments">${message.attachments.map(this.#attachment)}</ul>` : nothing}
      ${own.calls ? html`<dl>
        ${this.#figure('in', count(own.input), `${exact(own.input)} input tokens`)} ${this.#figure('out', count(own.output), `${exact(own.output)} output tokens`)}
        ${this.#cost('cost', own)} ${this.#cost('so far', total, `, ${count(plus(total.input, total.output))} tokens`)}
        <div><dt>of</dt><dd><button @click=${() => this.#open(entry)}>${own.calls === 1 ? 'the call' : `${own.calls} calls, the first`}</button></dd></div>
      </dl>` : nothing}
    </li>`;
  }

  /** @param {string} text */
  #text(text) {
    if (text.length <= LONG) return html`<p class="text">${text}</p>`;
    return html`<p class="text">${text.slice(0, LONG)}…</p><details><summary>All ${count(text.length)} characters</summary><p class="text">${text}</p></details>`;
  }

  /** @param {Record<string, any>} told */
  #attachment(told) {
    const { label, href } = attachmentOf(told);
    return html`<li>${href ? html`<a href=${href} target="_blank" rel="noopener noreferrer">${label}</a>` : label}</li>`;
  }

  /** @param {string} name @param {string} shown @param {string} whole */
  #figure(name, shown, whole) {
    return html`<div><dt>${name}</dt><dd title=${whole}>${shown}</dd></div>`;
  }

  /** @param {string} name @param {Sum} sum @param {string} [more] */
  #cost(name, sum, more = '') {
    const cost = costOf(sum);
    return this.#figure(name, `${cost === null ? 'unpriced' : `${money(cost)}${sum.unpriced ? '+' : ''}`}${more}`, cost === null ? 'no call has a price' : `${exact(cost / 1e9)} USD${sum.unpriced ? `, ${sum.unpriced} calls unpriced` : ''}`);
  }

  /** @param {Entry} entry */
  #open(entry) {
    this.dispatchEvent(new CustomEvent('tb-open', { detail: { call: entry.nodes[0].id }, bubbles: true, composed: true }));
  }
}

customElements.define('tb-conversation', Conversation);
