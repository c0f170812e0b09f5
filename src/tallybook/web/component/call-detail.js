/**
 * Everything about one call.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import './condition.js';
import { scores } from './scores.js';
import { ask } from '../lib/api.js';
import { buckets, costExact, costParts, costText, elsewhere, modelOf } from '../lib/call.js';
import { duration, exact, moment, money, percent } from '../lib/format.js';
import { Load } from '../lib/load.js';
import { ownZone } from '../lib/range.js';

class CallDetail extends LitElement {
  static properties = { callId: { type: String }, zone: { type: String }, _copied: { state: true } };

  static styles = css`
    :host { display: block; }
    h2 { font-size: var(--tb-size-large); margin: 0; }
    h3 { font-size: var(--tb-size); margin: var(--tb-4) 0 var(--tb-1); }
    dl { display: grid; grid-template-columns: minmax(6.5rem, max-content) 1fr; gap: 0.15rem var(--tb-3); margin: var(--tb-2) 0; }
    dt { color: var(--tb-text-soft); }
    dd { margin: 0; overflow-wrap: anywhere; }
    table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
    th, td { text-align: right; font-weight: 400; padding: 0.15rem 0; border-bottom: 1px solid var(--tb-line); }
    th:first-child { text-align: left; }
    pre { background: var(--tb-sunken); border-radius: 4px; padding: var(--tb-3); overflow: auto; font: var(--tb-size-small)/1.45 var(--tb-mono); max-height: 24rem; white-space: pre-wrap; overflow-wrap: anywhere; margin: var(--tb-1) 0; }
    .copy { display: flex; flex-wrap: wrap; gap: var(--tb-2); margin: var(--tb-3) 0; }
    button { font: inherit; font-size: var(--tb-size-small); border: 1px solid var(--tb-line); border-radius: 4px; background: var(--tb-surface); color: var(--tb-text); padding: 0.2rem 0.6rem; cursor: pointer; min-height: 1.75rem; }
    .bad { color: var(--tb-bad); }
    a { color: var(--tb-accent); }
    :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
  `;

  constructor() {
    super();
    this.callId = '';
    this.zone = ownZone();
    this._copied = '';
    this.load = new Load(this, (signal) => ask(`/api/v1/calls/${encodeURIComponent(this.callId)}`, { signal }));
    this.addEventListener('tb-retry', (event) => { event.stopPropagation(); this.load.again(); });
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (changed.has('callId') && this.callId) {
      this.load.value = null;
      this.load.again();
    }
  }

  render() {
    if (this.load.error) return html`<tb-condition state="error" .error=${this.load.error}></tb-condition>`;
    if (!this.load.value) return html`<tb-condition state="loading" .lines=${9}></tb-condition>`;
    const { call, body, feedback } = this.load.value;
    return html`
      <h2>${call.name ?? call.operation} <small>${modelOf(call)}</small></h2>
      <dl>
        <dt>Time</dt><dd>${moment(call.timestamp, this.zone)} <small>${this.zone}</small></dd>
        <dt>Status</dt><dd class=${call.status === 'ok' ? '' : 'bad'}>${call.status}${call.error_type ? html`: ${call.error_type}` : nothing}${call.http_status ? html` (HTTP ${call.http_status})` : nothing}</dd>
        ${call.metadata?.error ? html`<dt>Error</dt><dd class="bad">${call.metadata.error}</dd>` : nothing}
        <dt>Took</dt><dd>${ms(call.duration_ms)}${call.ttft_ms === undefined || call.ttft_ms === null ? nothing : html`, first token after ${ms(call.ttft_ms)}`}</dd>
        <dt>Provider</dt><dd>${call.provider}${call.base_url ? html`, ${call.base_url}` : nothing}${call.service_tier ? html`, tier ${call.service_tier}` : nothing}</dd>
        ${call.model && call.model !== call.response_model ? html`<dt>Asked for</dt><dd>${call.model}</dd>` : nothing}
      </dl>
      <div class="copy">${Object.entries(elsewhere(call, location.origin)).map(([name, text]) => html`<button @click=${() => this.#copy(name, text)}>Copy ${name}</button>`)}
        <span role="status">${this._copied}</span></div>
      ${this.#tokens(call)} ${this.#cost(call)} ${this.#tools(call)} ${this.#identity(call)} ${scores(feedback ?? [], html`<h3 id="scores">Scores</h3>`)} ${this.#texts(call, body)} ${this.#raw(call)}
    `;
  }

  /** @param {any} call */
  #tokens(call) {
    const parts = buckets(call);
    if (!parts.length) return html`<h3>Tokens</h3><p>Not told.</p>`;
    const sum = (/** @type {string} */ side) => parts.filter((part) => part.side === side).reduce((total, part) => total + part.tokens, 0);
    return html`<h3 id="tokens">Tokens</h3><table aria-labelledby="tokens"><tbody>
      ${parts.map((part) => html`<tr><th scope="row">${part.name}</th><td>${exact(part.tokens)}</td><td>${percent(sum(part.side) ? part.tokens / sum(part.side) : null)}</td></tr>`)}
    </tbody></table>`;
  }

  /** @param {any} call */
  #cost(call) {
    return html`<h3 id="cost">Cost</h3><p title=${costExact(call)}>${costText(call)}, ${call.cost?.status ?? 'stated'}${call.cost?.reasons?.length ? html`: ${call.cost.reasons.join(', ')}` : nothing}</p>
      ${costParts(call).length ? html`<table aria-labelledby="cost"><tbody>${costParts(call).map((part) => html`<tr><th scope="row">${part.name}</th><td>${money(part.nanousd)}</td></tr>`)}</tbody></table>` : nothing}
      ${call.cost?.price ? html`<p><small>${call.cost.price}</small></p>` : nothing}`;
  }

  /** @param {any} call */
  #tools(call) {
    if (!call.tool_calls?.length) return nothing;
    return html`<h3>Tool calls</h3><ul>${call.tool_calls.map((/** @type {any} */ tool) => html`<li><b>${tool.name}</b>${tool.server_side ? ' (by the provider)' : ''}${tool.duration_ms ? `, ${ms(tool.duration_ms)}` : ''}${tool.error ? html`<span class="bad">, ${tool.error}</span>` : nothing}
      ${tool.arguments ? html`<pre tabindex="0">${tool.arguments}</pre>` : nothing}${tool.result ? html`<pre tabindex="0">${tool.result}</pre>` : nothing}</li>`)}</ul>`;
  }

  /** @param {any} call */
  #identity(call) {
    const { project, git_branch: branch, error: _, ...own } = call.metadata ?? {};
    const rows = { project, environment: call.environment, user: call.user_id, session: call.session_id, run: call.run_id, agent: call.agent_name, tags: (call.tags ?? []).join(', '), branch, source: call.source, 'response id': call.response_id, 'call id': call.call_id, flags: (call.flags ?? []).join(', '), ...own };
    return html`<h3>Belongs to</h3><dl>${Object.entries(rows).filter(([, value]) => value !== null && value !== undefined && value !== '').map(([name, value]) => html`<dt>${name}</dt><dd>${typeof value === 'object' ? JSON.stringify(value) : String(value)}</dd>`)}</dl>`;
  }

  /** @param {any} call @param {any} body */
  #texts(call, body) {
    const prompt = body?.prompt ?? call.prompt_preview;
    const response = body?.response ?? call.response_preview;
    if (!prompt && !response) return html`<h3>Messages</h3><p>Not stored. <code>TALLYBOOK_PROMPTS=preview</code> or <code>full</code> keeps them from then on.</p>`;
    return html`<h3>Messages${body ? '' : ', beginnings'}</h3>
      ${Array.isArray(prompt) ? prompt.map((one) => html`<b>${one.role ?? ''}</b><pre tabindex="0">${written(one.content ?? one)}</pre>`) : prompt ? html`<b>prompt</b><pre tabindex="0">${written(prompt)}</pre>` : nothing}
      ${response ? html`<b>response</b><pre tabindex="0">${written(response)}</pre>` : nothing}`;
  }

  /** @param {any} call */
  #raw(call) {
    return call.usage_raw ? html`<h3>Usage as the provider told it</h3><pre tabindex="0">${JSON.stringify(call.usage_raw, null, 2)}</pre>` : nothing;
  }

  /** @param {string} name @param {string} text */
  async #copy(name, text) {
    await navigator.clipboard.writeText(text);
    this._copied = `${name} copied`;
  }
}

/** @param {number | null | undefined} value milliseconds */
function ms(value) {
  return duration(value === null || value === undefined ? null : value * 1_000);
}

/** @param {any} value */
function written(value) {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2);
}

customElements.define('tb-call-detail', CallDetail);
