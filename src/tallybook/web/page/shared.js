/**
 * The page of a shared link: one conversation, read-only, apart from all other pages. It asks its own address and nothing else.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import '../component/condition.js';
import '../component/conversation.js';
import { ask, ApiError } from '../lib/api.js';
import { sharedEntries } from '../lib/conversation.js';
import { count, exact, moment } from '../lib/format.js';
import { Load } from '../lib/load.js';
import { ownZone } from '../lib/range.js';

const MOST = 200;

class SharedPage extends LitElement {
  static styles = css`
    :host { display: block; max-width: 64rem; margin: 0 auto; padding: var(--tb-5) var(--tb-4) var(--tb-6); }
    h1 { font-size: 1.5rem; margin: 0 0 var(--tb-1); overflow-wrap: anywhere; }
    p { margin: 0 0 var(--tb-2); }
    .soft { color: var(--tb-text-soft); font-size: var(--tb-size-small); margin-bottom: var(--tb-5); }
    button { font: inherit; border: 1px solid var(--tb-line-strong); border-radius: var(--tb-radius); background: var(--tb-surface); color: var(--tb-text); padding: 0.3rem 0.8rem; cursor: pointer; min-height: 2.25rem; margin-top: var(--tb-4); }
    footer { margin-top: var(--tb-6); border-top: 1px solid var(--tb-line); padding-top: var(--tb-3); color: var(--tb-text-soft); font-size: var(--tb-size-small); }
    :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
    @media print { button { display: none; } }
  `;

  constructor() {
    super();
    this.load = new Load(this, (signal) => ask(location.pathname, { params: { limit: MOST }, signal }));
    this.addEventListener('tb-retry', () => this.load.again());
  }

  connectedCallback() {
    super.connectedCallback();
    this.load.again();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.load.stop();
  }

  updated() {
    const { value, error } = this.load;
    if (value) document.title = `${value.name || 'Shared conversation'} · Tallybook`;
    else if (error) document.title = 'Nothing here · Tallybook';
  }

  render() {
    return html`<main>${this.#content()}</main>${this.load.value ? html`<footer>Shared by a link, read-only. What it cost, and whose it is, is not shown.</footer>` : nothing}`;
  }

  #content() {
    const { value, error } = this.load;
    if (error instanceof ApiError && error.status === 404) return html`<h1>This link shows nothing any more</h1><p>It was revoked, has run out, or was never one. Ask who gave it to you for another.</p>`;
    if (error) return html`<h1>Shared conversation</h1><tb-condition state="error" .error=${error}></tb-condition>`;
    if (!value) return html`<h1>Shared conversation</h1><tb-condition state="loading" .lines=${8}></tb-condition>`;
    const facts = [
      value.created_at ? `begun ${moment(value.created_at, ownZone())}` : null,
      value.calls ? `${count(value.calls)} model ${value.calls === 1 ? 'call' : 'calls'}` : null,
    ].filter(Boolean).join(' · ');
    return html`<h1>${value.name || 'Shared conversation'}</h1>
      ${value.description ? html`<p>${value.description}</p>` : nothing}
      <p class="soft">${facts}${value.total_tokens ? html` · <span title=${`${exact(value.total_tokens)} tokens`}>${count(value.total_tokens)} tokens</span>` : nothing}</p>
      ${value.messages.length ? html`<tb-conversation .entries=${sharedEntries(value.messages)} .zone=${ownZone()}></tb-conversation>` : html`<p>There are no messages yet.</p>`}
      ${value.cursor ? html`<button @click=${() => this.#more()}>Further messages</button>` : nothing}`;
  }

  async #more() {
    const { value } = this.load;
    try {
      const more = await ask(location.pathname, { params: { limit: MOST, cursor: value.cursor } });
      this.load.value = { ...more, messages: [...value.messages, ...more.messages] };
    } catch (error) {
      this.load.error = /** @type {Error} */ (error);
    }
    this.requestUpdate();
  }
}

customElements.define('tb-shared-page', SharedPage);
