/**
 * The frame around every page: navigation, theme, which page is shown. A page is a module that is loaded when it is visited.
 */
import { LitElement, css, html, nothing } from '../vendor/lit-3.3.3.js';
import { Address } from '../lib/address.js';
import { ask, useKey, ApiError } from '../lib/api.js';
import { isPaletteKey, isSingleKey } from '../lib/keys.js';
import { ownZone, spanOf } from '../lib/range.js';
import './keys.js';
import './offline.js';
import './palette.js';

export const address = new Address();

/** @typedef {{path: string, label: string, tag: string, module: string, icon: string}} Entry */

/** @type {readonly Entry[]} */
export const PAGES = Object.freeze([
  { path: '/', label: 'Overview', tag: 'tb-overview-page', module: '../page/overview.js', icon: 'M4 13h4v7H4zM10 8h4v12h-4zM16 4h4v16h-4z' },
  { path: '/calls', label: 'Calls', tag: 'tb-calls-page', module: '../page/calls.js', icon: 'M4 6h16M4 12h16M4 18h10' },
  { path: '/tools', label: 'Tools', tag: 'tb-tools-page', module: '../page/tools.js', icon: 'M14 6a4 4 0 0 0 5 5l-8.5 8.5a2.1 2.1 0 0 1-3-3L16 8a4 4 0 0 1-2-2zM14 6a4 4 0 0 1 3.5-3' },
  { path: '/runs', label: 'Runs', tag: 'tb-runs-page', module: '../page/runs.js', icon: 'M5 4v16M5 7h8M5 12h5a3 3 0 0 1 3 3M13 7h6M13 15v2h6' },
  { path: '/models', label: 'Models', tag: 'tb-models-page', module: '../page/models.js', icon: 'M12 3l8 4.5v9L12 21l-8-4.5v-9zM12 12l8-4.5M12 12v9M12 12L4 7.5' },
  { path: '/users', label: 'Users', tag: 'tb-users-page', module: '../page/users.js', icon: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 20a8 6 0 0 1 16 0' },
  { path: '/projects', label: 'Projects', tag: 'tb-projects-page', module: '../page/projects.js', icon: 'M3 6h7l2 2h9v11H3z' },
  { path: '/settings', label: 'Settings', tag: 'tb-settings-page', module: '../page/settings.js', icon: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM9 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z' },
]);

/** @param {string} path @returns {Entry} the page of an address; a single run is on the page of runs */
export function pageOf(path) {
  return PAGES.find((page) => page.path === path) ?? PAGES.find((page) => page.path !== '/' && path.startsWith(`${page.path}/`)) ?? PAGES[0];
}

class Shell extends LitElement {
  static properties = { _page: { state: true }, _failure: { state: true }, _theme: { state: true }, _needsKey: { state: true } };

  static styles = css`
    :host { display: grid; grid-template-columns: 13rem minmax(0, 1fr); min-height: 100dvh; }
    button.skip { position: absolute; left: -100rem; }
    button.skip:focus { left: var(--tb-3); top: var(--tb-3); z-index: 9; background: var(--tb-raised); padding: var(--tb-2) var(--tb-3); }
    nav { border-right: 1px solid var(--tb-line); background: var(--tb-sunken); padding: var(--tb-4) var(--tb-3); display: flex; flex-direction: column; gap: var(--tb-1); position: sticky; top: 0; height: 100dvh; }
    .name { display: flex; align-items: center; gap: var(--tb-2); font-weight: 700; font-size: var(--tb-size-large); padding: 0 var(--tb-2) var(--tb-4); color: var(--tb-text); text-decoration: none; }
    nav a.page { display: flex; align-items: center; gap: var(--tb-3); padding: var(--tb-2) var(--tb-3); border-radius: var(--tb-radius); color: var(--tb-text-soft); text-decoration: none; min-height: 2.5rem; }
    nav a.page:hover { background: var(--tb-surface); color: var(--tb-text); }
    nav a.page[aria-current] { background: var(--tb-accent-soft); color: var(--tb-accent); font-weight: 600; }
    svg { width: 1.25rem; height: 1.25rem; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round; flex: none; }
    .end { margin-top: auto; display: flex; flex-direction: column; gap: var(--tb-1); }
    button { font: inherit; color: var(--tb-text-soft); background: none; border: 1px solid transparent; border-radius: var(--tb-radius); padding: var(--tb-2) var(--tb-3); text-align: left; cursor: pointer; min-height: 2.5rem; }
    .find { display: flex; gap: var(--tb-3); align-items: center; border-color: var(--tb-line); margin-bottom: var(--tb-2); background: var(--tb-surface); }
    .find kbd { margin-left: auto; font: var(--tb-size-small) var(--tb-mono); }
    button:hover { background: var(--tb-surface); color: var(--tb-text); }
    main { padding: var(--tb-5) var(--tb-6) var(--tb-6); min-width: 0; max-width: 100rem; }
    :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
    form { max-width: 30rem; margin: 12vh auto; display: grid; gap: var(--tb-3); }
    input { font: inherit; padding: var(--tb-2) var(--tb-3); border: 1px solid var(--tb-line-strong); border-radius: var(--tb-radius); background: var(--tb-surface); color: var(--tb-text); }
    form button { background: var(--tb-accent); color: var(--tb-on-accent); text-align: center; }
    @media (max-width: 52rem) {
      :host { grid-template-columns: minmax(0, 1fr); grid-template-rows: auto 1fr; }
      nav { flex-direction: row; position: static; height: auto; padding: var(--tb-2); overflow-x: auto; border-right: 0; border-bottom: 1px solid var(--tb-line); align-items: center; }
      .name { padding: 0 var(--tb-2); }
      .name span, .end { display: none; }
      .find kbd, .find span { display: none; }
      .find { margin: 0; border: 0; }
      nav a.page { padding: var(--tb-2); white-space: nowrap; }
      main { padding: var(--tb-4) var(--tb-3); }
    }
    .paper { display: none; }
    @media print { :host { display: block; } nav { display: none; } main { padding: 0; max-width: none; } .paper { display: block; margin: 0 0 var(--tb-2); font-size: var(--tb-size-small); } }
  `;

  constructor() {
    super();
    this._page = pageOf(address.place.path);
    /** @type {Error | null} */
    this._failure = null;
    this._needsKey = false;
    this._theme = localStorage.getItem('tallybook.theme') ?? 'system';
    this.#applyTheme();
    address.addEventListener('change', () => this.#visit());
    this.addEventListener('click', (event) => this.#follow(event));
    this.addEventListener('tb-go', (event) => {
      const { path, changes } = /** @type {CustomEvent<import('../lib/palette.js').Offer>} */ (event).detail;
      address.go(path, changes);
    });
    // What is shown is asked for anew, as after any other change.
    this.addEventListener('tb-back', () => address.dispatchEvent(new Event('change')));
    window.addEventListener('beforeprint', () => this.requestUpdate());
    window.addEventListener('keydown', (event) => this.#key(event));
    this.addEventListener('tb-locked', () => { this._needsKey = true; });
    this.#visit();
  }

  async #visit() {
    const page = pageOf(address.place.path);
    document.title = `${page.label} · Tallybook`;
    try {
      await import(page.module);
      this._failure = null;
    } catch (error) {
      this._failure = /** @type {Error} */ (error);
    }
    // Who went on, or back, while the page's module came, is at another page now.
    if (page !== pageOf(address.place.path)) return;
    const isOther = page !== this._page;
    this._page = page;
    this.requestUpdate();
    if (isOther) {
      await this.updateComplete;
      this.renderRoot.querySelector('main')?.focus();
      window.scrollTo(0, 0);
    }
  }

  /** Links of our own stay in the page. @param {MouseEvent} event */
  #follow(event) {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = /** @type {HTMLAnchorElement | undefined} */ (event.composedPath().find((one) => one instanceof HTMLAnchorElement));
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    const page = pageOf(link.pathname);
    if (link.pathname !== page.path && !link.pathname.startsWith(`${page.path}/`)) return;
    if (link.getAttribute('href')?.startsWith('#')) return;
    event.preventDefault();
    address.go(link.pathname, Object.fromEntries(new URLSearchParams(link.search)));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (isPaletteKey(event)) this.#open('tb-palette');
    else if (!isSingleKey(event)) return;
    else if (event.key === '?') this.#open('tb-keys');
    else if (event.key === '/') this.#search();
    else return;
    event.preventDefault();
  }

  /** The filter of the page: its own, or that of its control. */
  #search() {
    const page = /** @type {any} */ (this._shown);
    if (page?.search) page.search();
    else page?.shadowRoot?.querySelector('tb-control')?.search();
  }

  /** @param {'tb-palette' | 'tb-keys'} tag of a dialog */
  #open(tag) {
    if (!this._needsKey) /** @type {any} */ (this.renderRoot.querySelector(tag)).open();
  }

  #applyTheme() {
    if (this._theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this._theme;
  }

  #nextTheme() {
    const order = ['system', 'light', 'dark'];
    this._theme = order[(order.indexOf(this._theme) + 1) % order.length];
    localStorage.setItem('tallybook.theme', this._theme);
    this.#applyTheme();
    window.dispatchEvent(new Event('tb-theme'));
  }

  /** @param {SubmitEvent} event */
  async #enter(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    useKey(/** @type {string} */ (new FormData(form).get('key')));
    try {
      await ask('/api/v1/projects');
      this._needsKey = false;
    } catch (error) {
      const field = /** @type {HTMLInputElement} */ (form.elements.namedItem('key'));
      field.setCustomValidity(error instanceof ApiError ? error.message : String(error));
      field.reportValidity();
      useKey(null);
    }
  }

  render() {
    return html`
      <nav aria-label="Pages">
        <button class="skip" @click=${() => this.renderRoot.querySelector('main')?.focus()}>Skip to content</button>
        <a class="name" href="/" aria-label="Tallybook, overview"><img src="/assets/icon.svg" alt="" width="24" height="24" /><span>Tallybook</span></a>
        <button class="find" aria-label="Go to … (Ctrl K)" @click=${() => this.#open('tb-palette')}><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l5 5"></path></svg><span>Go to</span><kbd>Ctrl K</kbd></button>
        ${PAGES.map((page) => html`
          <a class="page" href=${page.path} aria-current=${page === this._page ? 'page' : nothing}>
            <svg viewBox="0 0 24 24" aria-hidden="true"><path d=${page.icon}></path></svg>${page.label}</a>`)}
        <div class="end">
          <button @click=${() => this.#nextTheme()}>Theme: ${this._theme}</button>
          <button @click=${() => this.#open('tb-keys')}>Keys: ?</button>
          <a class="page" href="/docs" target="_self">HTTP interface</a>
        </div>
      </nav>
      <main id="main" tabindex="-1"><tb-offline></tb-offline>${this.#paper()}${this.#content()}</main>
      <tb-palette .pages=${PAGES}></tb-palette>
      <tb-keys></tb-keys>
    `;
  }

  /** What a printed page says of itself: what it covers, and when it was made. */
  #paper() {
    const { params } = address.place;
    const now = new Date();
    const told = [spanOf(params, now).label, params.get('zone') ?? ownZone(), params.get('q'), `printed ${now.toLocaleString('sv-SE').slice(0, 16)}`];
    return html`<p class="paper">Tallybook · ${told.filter(Boolean).join(' · ')}</p>`;
  }

  #content() {
    if (this._needsKey) {
      return html`<form @submit=${(/** @type {SubmitEvent} */ event) => this.#enter(event)}>
        <h1>This ledger asks for a key</h1>
        <label for="key">Access key with the role read or admin</label>
        <input id="key" name="key" type="password" autocomplete="current-password" required
          @input=${(/** @type {InputEvent} */ event) => /** @type {HTMLInputElement} */ (event.target).setCustomValidity('')} />
        <button>Open</button>
        <p>It is kept for this tab only. <code>tallybook keys create --role read</code> makes one.</p>
      </form>`;
    }
    if (this._failure) return html`<h1>This page could not be loaded</h1><p>${this._failure.message}</p><button @click=${() => this.#visit()}>Try again</button>`;
    return this.#element(this._page.tag);
  }

  /** @param {string} tag */
  #element(tag) {
    if (!customElements.get(tag)) return nothing;
    if (this._shown?.localName !== tag) this._shown = document.createElement(tag);
    return this._shown;
  }
}

customElements.define('tb-shell', Shell);
