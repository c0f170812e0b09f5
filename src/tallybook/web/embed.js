/**
 * Usage of messages, chats and users as elements for any page: `<tb-message-usage>`, `<tb-chat-usage>`, `<tb-user-usage>`, and what
 * comes in charts, lists and trees: `<tb-cost-chart>`, `<tb-runs-list>`, `<tb-run-tree>`.
 *
 * One module without dependencies; what draws the last three comes from the same server when the first of them stands in a page.
 * Figures come from `/api/token-usage` and `/api/v1/page/…` of the server that this file came from, by a short-lived token.
 * Looks come from custom properties `--tb-embed-…`; styles are constructed, so that a policy without inline styles is kept.
 * While an answer streams an estimate stands there and says so; the true figures take its place in the same boxes.
 */

const RETRY_MS = [0, 500, 1_000, 2_000, 4_000, 8_000]; // A record arrives up to some seconds after its stream.
const CHARS_A_TOKEN = 4;

const settings = {
  server: new URL(import.meta.url).origin,
  /** @type {string | null} */ token: null,
  /** Gives a fresh token: asked at first and when one is over. @type {(() => Promise<string> | string) | null} */
  getToken: null,
};

/** Set server, token, or a function that gets one, for all elements of the page. @param {Partial<typeof settings>} changed */
export function configure(changed) {
  Object.assign(settings, changed);
  for (const one of alive) one.refresh();
}

/** Scripts of the page that say where tokens come from run before the first question. */
const ready = globalThis.document && document.readyState !== 'complete'
  ? new Promise((done) => { document.addEventListener('DOMContentLoaded', done, { once: true }); globalThis.addEventListener('load', done, { once: true }); })
  : Promise.resolve();
const alive = /** @type {Set<Usage | View>} */ (new Set());
const sheet = globalThis.CSSStyleSheet && new CSSStyleSheet();
sheet?.replaceSync(`
  :host { display: inline-block; max-inline-size: 100%; font: var(--tb-embed-font, 0.875rem/1.45 system-ui, sans-serif);
    color: var(--tb-embed-text, light-dark(#1d2124, #e9ecee)); font-variant-numeric: tabular-nums; }
  :host([hidden]) { display: none; }
  .box { background: var(--tb-embed-surface, light-dark(#ffffff, #1b1f23)); border-radius: var(--tb-embed-radius, 0.5rem); }
  .full { border: 1px solid var(--tb-embed-line, light-dark(#dedad0, #343a41)); padding: var(--tb-embed-space, 0.75rem); min-inline-size: 15rem; }
  .small { display: inline-flex; align-items: center; gap: 0.5em; padding: 0.1em 0.4em; }
  .head { display: flex; align-items: center; justify-content: space-between; gap: 0.75rem; font-weight: 600; min-block-size: 1.75rem; }
  dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(6rem, 1fr)); gap: 0.5rem 1rem; margin: 0.5rem 0 0; }
  dt { color: var(--tb-embed-soft, light-dark(#585d61, #a9b1b8)); font-size: 0.8125em; }
  dd { margin: 0; font-weight: 600; min-block-size: 1.45em; }
  .soft, .note { color: var(--tb-embed-soft, light-dark(#585d61, #a9b1b8)); }
  .note { font-size: 0.8125em; margin: 0.5rem 0 0; min-block-size: 1.45em; }
  .bad { color: var(--tb-embed-bad, light-dark(#a8281f, #f58f86)); }
  .sr { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  .wait { display: inline-block; inline-size: 4em; block-size: 0.9em; border-radius: 0.3em; background: var(--tb-embed-line, light-dark(#dedad0, #343a41));
    animation: pulse 1.4s ease-in-out infinite; vertical-align: -0.1em; }
  .blank { display: grid; gap: 0.5rem; margin-block: 0.75rem; }
  .wait.line { inline-size: auto; block-size: 1.1em; }
  .place { margin-block-start: 0.5rem; min-inline-size: 0; }
  .dot { inline-size: 0.55em; block-size: 0.55em; border-radius: 50%; background: var(--tb-embed-accent, light-dark(#1f5f5b, #6fc7bf)); animation: pulse 1s ease-in-out infinite; }
  button { font: inherit; font-size: 0.8125em; color: inherit; background: transparent; border: 1px solid var(--tb-embed-line-strong, light-dark(#8a867b, #7d858e));
    border-radius: 0.35em; padding: 0.1em 0.6em; min-block-size: 1.5rem; min-inline-size: 1.5rem; cursor: pointer; }
  button:focus-visible { outline: 2px solid var(--tb-embed-focus, light-dark(#0b57d0, #a8c7fa)); outline-offset: 2px; }
  @keyframes pulse { 50% { opacity: 0.35; } }
  @media (prefers-reduced-motion: reduce) { .wait, .dot { animation: none; } }
  @media (prefers-contrast: more) { .full { border-color: currentColor; } dt, .soft, .note { color: inherit; } }
  @media (forced-colors: active) { .full, button { border-color: CanvasText; } .dot, .wait { background: CanvasText; forced-color-adjust: none; } }
`);

/** `1.2M`, `950`, `–`. @param {number | null | undefined} value */
export function count(value) {
  if (value === null || value === undefined) return '–';
  const units = /** @type {[number, string][]} */ ([[1e12, 'T'], [1e9, 'B'], [1e6, 'M'], [1e3, 'k']]);
  const found = units.find(([unit]) => value >= unit * (unit === 1e3 ? 1 : 0.99995));
  if (!found) return String(Math.round(value));
  const part = value / found[0];
  return `${part < 99.95 ? part.toFixed(1).replace(/\.0$/, '') : Math.round(part)}${found[1]}`;
}

/** An amount with its currency; small ones keep two digits that count. @param {number | null | undefined} value @param {string} currency */
export function money(value, currency) {
  if (value === null || value === undefined) return '–';
  const digits = value > 0 && value < 1 ? Math.min(9, Math.max(2, 1 - Math.floor(Math.log10(value)))) : 2;
  try {
    return new Intl.NumberFormat(undefined, { style: 'currency', currency, minimumFractionDigits: 2, maximumFractionDigits: digits }).format(value);
  } catch {
    return `${value.toFixed(digits)} ${currency}`; // A code that is none of ISO 4217.
  }
}

const grouped = (value) => (value === null || value === undefined ? 'unknown' : value.toLocaleString(undefined, { maximumFractionDigits: 9 }));

/** An element with properties and children. @param {string} tag @param {object} [given] @param {...(Node | string | null)} children */
function make(tag, given = {}, ...children) {
  const one = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith('on')) one.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) one.setAttribute(name, value);
  }
  one.append(...children.filter((child) => child !== null));
  return one;
}

/** A figure short for the eye, exact on hover and for screen readers. */
const figure = (short, exact, isEstimate = false) => make('span', { title: `${isEstimate ? 'about ' : ''}${exact}` },
  make('span', { 'aria-hidden': 'true' }, `${isEstimate && short !== '–' ? '≈' : ''}${short}`), make('span', { class: 'sr' }, `${isEstimate ? 'about ' : ''}${exact}`));

/** What a sum of costs leaves open: messages without a price, and those that are estimated. @param {any} shown */
const reserve = ({ unpriced, partly, count: all }) => [unpriced ? `${unpriced} of ${all} without a price` : '', partly ? `${partly} of ${all} estimated` : ''].filter(Boolean).join(', ');

/** A cost; `+` where some of it has no price, `≈` where some is estimated, and in words which. @param {any} shown */
function costFigure(shown) {
  if (shown.cost === null || shown.cost === undefined) return figure('–', 'cost unknown', shown.isEstimate);
  const open = shown.isEstimate ? '' : reserve(shown);
  const short = `${shown.partly && !shown.isEstimate ? '≈' : ''}${money(shown.cost, shown.currency)}${shown.unpriced ? '+' : ''}`;
  return figure(short, `${grouped(shown.cost)} ${shown.currency}${open ? `, ${open}` : ''}`, shown.isEstimate);
}
const skeleton = () => make('span', { class: 'wait', 'aria-hidden': 'true' });

const Base = globalThis.HTMLElement ?? class {};

/**
 * Ask for an element: of its server, in its currency, with its token or the page's; once more with a fresh one when that is over.
 * @param {HTMLElement} element @param {string} path @param {Record<string, string>} params @returns {Promise<any>}
 */
async function ask(element, path, params) {
  const url = new URL(path, element.getAttribute('server') ?? settings.server);
  for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
  const currency = element.getAttribute('currency');
  if (currency && path !== '/api/v1/page/runs' && path !== '/api/v1/page/tree') url.searchParams.set('currency', currency);
  let token = element.getAttribute('token') ?? settings.token ?? (settings.getToken ? (settings.token = await settings.getToken()) : null);
  for (let attempt = 0; ; attempt += 1) {
    const reply = await fetch(url, { headers: token ? { authorization: `Bearer ${token}` } : {} });
    if (reply.ok) return reply.json();
    if (reply.status === 401 && attempt === 0 && settings.getToken && !element.hasAttribute('token')) {
      token = settings.token = await settings.getToken();
      continue;
    }
    const told = await reply.json().catch(() => null);
    throw Object.assign(new Error(told?.error?.message ?? `the server answered ${reply.status}`), { status: reply.status });
  }
}

/** What the three elements share: asking, waiting, failing, estimating. */
class Usage extends Base {
  static get observedAttributes() {
    return ['message', 'chat', 'user', 'variant', 'server', 'token', 'currency', 'streaming', 'input-tokens', 'output-tokens', 'estimated-cost', 'label'];
  }

  /** @type {any} */ #data = null;
  /** @type {Error | null} */ #error = null;
  #isLoading = false;
  #isPending = false;
  #turn = 0;
  #content = '';

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [sheet];
  }

  /** What the element is about: the parameters of the question; null where it is not said yet. @returns {Record<string, string> | null} */
  get subject() { return null; }
  get title_() { return 'Usage'; }

  /** The text that streams, of which output tokens are estimated. */
  set content(text) { this.#content = text ?? ''; this.#draw(); }
  get content() { return this.#content; }
  /** What is shown; null before the first answer. */
  get usage() { return this.#data; }

  connectedCallback() {
    alive.add(this);
    if (!this.hasAttribute('streaming')) this.refresh();
    else this.#draw();
  }

  disconnectedCallback() {
    alive.delete(this);
    this.#turn += 1;
  }

  attributeChangedCallback(name, old, now) {
    if (!this.isConnected || old === now) return;
    if (name === 'streaming' && now === null) this.#settle();
    else if (['message', 'chat', 'user', 'server', 'token', 'currency'].includes(name)) {
      if (name !== 'token' && name !== 'server') this.#data = null;
      if (this.hasAttribute('streaming')) this.#draw();
      else this.refresh();
    } else this.#draw();
  }

  /** Ask again. While the text streams there is no record to ask for, and right after it the asking goes on. */
  async refresh() {
    if (this.hasAttribute('streaming')) this.#draw();
    else await (this.#isPending ? this.#settle() : this.#ask([0]));
  }

  /** The stream has ended: ask until its record is there; the estimate stays until then. */
  async #settle() {
    const before = this.#data?.messageCount ?? 0;
    this.#isPending = true;
    await this.#ask(RETRY_MS, (data) => data.messageCount > before || Boolean(this.subject?.messageId));
  }

  /** @param {number[]} pauses @param {(data: any) => boolean} [isEnough] */
  async #ask(pauses, isEnough = () => true) {
    const turn = ++this.#turn;
    if (!this.subject) return this.#draw();
    this.#isLoading = true;
    this.#error = null;
    this.#draw();
    let found = null;
    let failure = /** @type {any} */ (null);
    for (const pause of pauses) {
      await (pause ? new Promise((done) => setTimeout(done, pause)) : ready);
      if (turn !== this.#turn) return undefined; // Another question took its place.
      try {
        found = await this.#fetch();
        failure = null;
        if (turn !== this.#turn) return undefined;
        if (isEnough(found)) break;
      } catch (error) {
        failure = error;
        if (failure.status !== 404 && failure.status !== undefined) break;
      }
    }
    if (turn !== this.#turn) return undefined;
    this.#isLoading = false;
    this.#isPending = false;
    this.#error = failure;
    if (found) {
      this.#data = found;
      this.#content = '';
    }
    this.#draw();
    this.dispatchEvent(new CustomEvent(failure ? 'tb-error' : 'tb-usage', { detail: failure ?? found, bubbles: true, composed: true }));
    return undefined;
  }

  #fetch() {
    return ask(this, '/api/token-usage', this.subject ?? {});
  }

  /** What stands there now: an estimate while streaming and until the record is there, else what the server said. */
  get #shown() {
    const told = this.#data;
    const base = { input: told?.totalInputTokens, output: told?.totalOutputTokens, total: told?.totalTokens, cost: told?.totalCost, count: told?.messageCount,
      currency: told?.currency ?? this.getAttribute('currency') ?? 'USD', isEstimate: false, partly: told?.estimatedCount ?? 0, unpriced: told?.unpricedCount ?? 0 };
    if (told && told.messageCount && told.unpricedCount === told.messageCount) base.cost = null;
    if (!this.#isOpen) return base;
    const number = (name) => (this.hasAttribute(name) ? Number(this.getAttribute(name)) : undefined);
    const input = number('input-tokens');
    const output = number('output-tokens') ?? (this.#content ? Math.ceil(this.#content.length / CHARS_A_TOKEN) : undefined);
    const cost = number('estimated-cost');
    const plus = (one, two) => (one === undefined && two === undefined ? undefined : (one ?? 0) + (two ?? 0));
    return { ...base, isEstimate: true, input: plus(base.input ?? undefined, input), output: plus(base.output ?? undefined, output),
      total: plus(base.total ?? undefined, plus(input, output)), cost: plus(base.cost ?? undefined, cost) };
  }

  get #isOpen() { return this.hasAttribute('streaming') || this.#isPending; }

  #draw() {
    const root = /** @type {ShadowRoot} */ (this.shadowRoot);
    const hadFocus = root.activeElement?.className;
    const shown = this.#shown;
    const variant = this.hasAttribute('streaming') && this.localName === 'tb-message-usage' ? 'streaming' : this.getAttribute('variant') ?? 'full';
    const isBlank = this.#isLoading && !this.#data && !shown.isEstimate;
    const tokens = (value) => (isBlank ? skeleton() : figure(count(value), `${grouped(value)} tokens`, shown.isEstimate));
    const cost = () => (isBlank ? skeleton() : costFigure(shown));
    const label = this.getAttribute('label') ?? this.title_;
    const box = variant === 'full' ? this.#full(label, shown, tokens, cost, isBlank) : this.#small(variant, label, shown, tokens, cost);
    box.setAttribute('aria-busy', String(this.#isLoading));
    root.replaceChildren(box);
    if (hadFocus) /** @type {any} */ (root.querySelector('button'))?.focus();
  }

  get #retry() {
    return make('button', { type: 'button', class: 'again', onclick: () => this.refresh(), 'aria-label': this.#error ? 'Try again' : 'Refresh' }, this.#error ? 'Try again' : '↻');
  }

  #full(label, shown, tokens, cost, isBlank) {
    const row = (name, value) => make('div', {}, make('dt', {}, name), make('dd', {}, value));
    const rows = [row('Input', tokens(shown.input)), row('Output', tokens(shown.output)), row('Total', tokens(shown.total)), row('Cost', cost())];
    if (this.localName !== 'tb-message-usage') {
      const messages = shown.count + (shown.isEstimate ? 1 : 0); // The one that is written is in the tokens already.
      const each = messages && shown.total !== null && shown.total !== undefined ? shown.total / messages : null;
      rows.push(row('Messages', isBlank ? skeleton() : figure(count(shown.count), grouped(shown.count))));
      rows.push(row('Per message', isBlank ? skeleton() : figure(count(each), each === null ? 'unknown' : `${grouped(Math.round(each))} tokens`)));
    }
    const note = shown.isEstimate ? 'Estimate while the answer streams' : reserve(shown);
    const told = this.#error ? make('p', { class: 'note bad', role: 'alert' }, `Not loaded: ${this.#error.message}`) : make('p', { class: 'note', role: 'status' }, note);
    return make('div', { class: 'box full', role: 'group', 'aria-label': label }, make('div', { class: 'head' }, make('span', {}, label),
      shown.isEstimate ? make('span', { class: 'dot', 'aria-hidden': 'true' }) : this.#retry), make('dl', {}, ...rows), told);
  }

  #small(variant, label, shown, tokens, cost) {
    if (this.#error) return make('span', { class: 'box small', role: 'group', 'aria-label': label }, make('span', { class: 'bad', role: 'alert' }, 'Usage not loaded'), this.#retry);
    const parts = variant === 'streaming'
      ? [make('span', { class: 'dot', 'aria-hidden': 'true' }), tokens(shown.input), make('span', { class: 'soft', 'aria-hidden': 'true' }, '→'), tokens(shown.output),
        make('span', { class: 'soft' }, 'estimate')]
      : [shown.isEstimate ? make('span', { class: 'dot', 'aria-hidden': 'true' }) : null, tokens(shown.total), make('span', { class: 'soft', 'aria-hidden': 'true' }, 'tokens'), make('span', { class: 'soft', 'aria-hidden': 'true' }, '·'), cost()];
    return make('span', { class: 'box small', role: 'group', 'aria-label': label }, ...parts);
  }
}

const named = (element, names) => {
  const found = names.map(([attribute, parameter]) => [parameter, element.getAttribute(attribute)]).filter(([, value]) => value);
  return Object.fromEntries(found);
};

/** `<tb-message-usage message="m-1" variant="full|compact|streaming">`; `streaming` while it is written. */
export class MessageUsage extends Usage {
  get subject() { return this.getAttribute('message') ? named(this, [['message', 'messageId'], ['chat', 'chatId'], ['user', 'userId']]) : null; }
  get title_() { return 'Usage of this message'; }
}

/** `<tb-chat-usage chat="c-1" variant="full|mini">` */
export class ChatUsage extends Usage {
  get subject() { return this.getAttribute('chat') ? { ...named(this, [['chat', 'chatId'], ['user', 'userId']]), messages: '0' } : null; }
  get title_() { return 'Usage of this chat'; }
}

/** `<tb-user-usage user="ada" variant="full|mini">` */
export class UserUsage extends Usage {
  get subject() { return this.getAttribute('user') ? { ...named(this, [['user', 'userId']]), messages: '0' } : null; }
  get title_() { return 'Your usage'; }
}

/** What the larger elements share: asking, waiting, failing; the drawing is loaded when it is needed. */
class View extends Base {
  static get observedAttributes() {
    return ['chat', 'user', 'server', 'token', 'currency', 'label', 'days', 'since', 'until', 'interval', 'by', 'timezone', 'form', 'height', 'limit', 'status', 'text', 'starred', 'link'];
  }

  /** @type {any} */ #data = null;
  /** @type {Error | null} */ #error = null;
  #isLoading = false;
  #turn = 0;
  /** @type {HTMLElement | null} */ #place = null;

  constructor() {
    super();
    this.attachShadow({ mode: 'open' }).adoptedStyleSheets = [sheet];
  }

  /** @returns {{kind: string, path: string, names: string[][], label: string, needs?: string}} */
  get view() { throw new Error('an element says what it shows'); }
  /** What is shown; null before the first answer. */
  get usage() { return this.#data; }

  connectedCallback() {
    alive.add(this);
    this.refresh();
  }

  disconnectedCallback() {
    alive.delete(this);
    this.#turn += 1;
  }

  attributeChangedCallback(name, old, now) {
    if (!this.isConnected || old === now) return;
    if (['label', 'form', 'height', 'link'].includes(name)) {
      this.#draw();
      return;
    }
    if (name === 'chat' || name === 'user') this.#data = this.#place = null; // Nobody sees another's figures under the new name.
    this.refresh();
  }

  /** Ask again. */
  async refresh() {
    await this.#ask({});
  }

  /** The next page of a list. */
  async more() {
    if (this.#data?.cursor) await this.#ask({ cursor: this.#data.cursor });
  }

  /** @param {Record<string, string>} further */
  async #ask(further) {
    const turn = ++this.#turn;
    const { path, names, needs } = this.view;
    if (needs && !this.getAttribute(needs)) return this.#draw();
    this.#isLoading = true;
    this.#error = null;
    this.#draw();
    await new Promise((done) => queueMicrotask(() => done(undefined))); // Several attributes set at once are one question.
    await ready;
    if (turn !== this.#turn) return undefined;
    try {
      const found = await ask(this, path, { ...named(this, names), ...further });
      if (turn !== this.#turn) return undefined;
      this.#data = further.cursor ? { ...found, runs: [...this.#data.runs, ...found.runs] } : found;
    } catch (error) {
      if (turn !== this.#turn) return undefined;
      this.#error = /** @type {Error} */ (error);
    }
    this.#isLoading = false;
    await this.#draw();
    this.dispatchEvent(new CustomEvent(this.#error ? 'tb-error' : 'tb-usage', { detail: this.#error ?? this.#data, bubbles: true, composed: true }));
    return undefined;
  }

  async #draw() {
    const root = /** @type {ShadowRoot} */ (this.shadowRoot);
    const label = this.getAttribute('label') ?? this.view.label;
    const hadFocus = root.activeElement?.className === 'again';
    const again = make('button', { type: 'button', class: 'again', onclick: () => this.refresh(), 'aria-label': this.#error ? 'Try again' : 'Refresh' }, this.#error ? 'Try again' : '↻');
    const place = this.#place ??= make('div', { class: 'place' });
    const blank = !this.#data && !this.#error
      ? make('div', { class: 'blank', 'aria-hidden': 'true' }, ...[4, 9, 7, 8].map(() => make('span', { class: 'wait line' }))) : null;
    const alarm = this.#error ? make('p', { class: 'note bad', role: 'alert' }, `Not loaded: ${this.#error.message}`) : null;
    root.replaceChildren(make('div', { class: 'box full', role: 'group', 'aria-label': label, 'aria-busy': String(this.#isLoading) },
      make('div', { class: 'head' }, make('span', {}, label), again), blank, alarm, place));
    if (hadFocus) again.focus();
    if (!this.#data) return;
    try {
      parts ??= import(new URL('/assets/component/embedded.js', import.meta.url).href);
      const { dress, show } = await parts;
      await dress(root);
      if (place === this.#place) show[this.view.kind](place, this.#data, this);
    } catch (error) {
      parts = undefined;
      place.replaceChildren(make('p', { class: 'note bad', role: 'alert' }, `Not drawn: ${/** @type {Error} */ (error).message}`));
    }
  }
}

/** @type {Promise<any> | undefined} what draws the larger elements */
let parts;

/** `<tb-cost-chart days="30" by="model">`: cost over time of the chat, user or project that the token is for. */
export class CostChart extends View {
  get view() { return { kind: 'chart', path: '/api/v1/page/costs', label: 'Cost', names: [['chat', 'chatId'], ...['user', 'days', 'since', 'until', 'interval', 'by', 'timezone'].map((name) => [name, name])] }; }
}

/** `<tb-runs-list user="ada" link="/chats/{id}">`; without a link, choosing one tells `tb-run`. */
export class RunsList extends View {
  get view() { return { kind: 'runs', path: '/api/v1/page/runs', label: 'Runs', names: ['user', 'limit', 'status', 'text', 'starred'].map((name) => [name, name]) }; }
}

/** `<tb-run-tree chat="c-1">`; opening a call tells `tb-call`. */
export class RunTree extends View {
  get view() { return { kind: 'tree', path: '/api/v1/page/tree', label: 'Execution', needs: 'chat', names: [['chat', 'chatId'], ['user', 'user']] }; }
}

const ELEMENTS = { 'tb-message-usage': MessageUsage, 'tb-chat-usage': ChatUsage, 'tb-user-usage': UserUsage, 'tb-cost-chart': CostChart, 'tb-runs-list': RunsList, 'tb-run-tree': RunTree };
for (const [name, element] of /** @type {[string, any][]} */ (Object.entries(ELEMENTS))) {
  if (globalThis.customElements && !customElements.get(name)) customElements.define(name, element);
}
