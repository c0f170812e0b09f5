/**
 * All state of a page is in its address, so that a link shows what its sender saw. Relative ranges stay relative.
 */

/** @typedef {{path: string, params: URLSearchParams}} Place */

export class Address extends EventTarget {
  /** @param {Window} view */
  constructor(view = window) {
    super();
    this.view = view;
    view.addEventListener('popstate', () => this.#tell());
  }

  /** @returns {Place} */
  get place() {
    const { pathname, search } = this.view.location;
    return { path: pathname, params: new URLSearchParams(search) };
  }

  /** @param {string} name @returns {string | null} */
  get(name) {
    return this.place.params.get(name);
  }

  /**
   * Change parameters; null removes one, a list sets several of the name.
   * @param {Record<string, string | string[] | null>} changes
   * @param {{replace?: boolean}} [how] `replace` keeps the history as it is: for what is typed letter by letter
   */
  set(changes, { replace = false } = {}) {
    const { path, params } = this.place;
    for (const [name, value] of Object.entries(changes)) {
      params.delete(name);
      for (const one of Array.isArray(value) ? value : value === null || value === '' ? [] : [value]) params.append(name, one);
    }
    this.#move(`${path}${text(params)}`, replace);
  }

  /**
   * Go to a page, keeping range, zone and filters.
   * @param {string} path @param {Record<string, string | null>} [changes]
   */
  go(path, changes = {}) {
    const params = new URLSearchParams();
    for (const [name, value] of this.place.params) if (KEPT.has(name) || name.startsWith('f.')) params.append(name, value);
    for (const [name, value] of Object.entries(changes)) {
      params.delete(name);
      if (value !== null) params.set(name, value);
    }
    this.#move(`${path}${text(params)}`, false);
  }

  /** @param {string} url @param {boolean} replace */
  #move(url, replace) {
    const here = `${this.view.location.pathname}${this.view.location.search}`;
    if (url === here) return;
    this.view.history[replace ? 'replaceState' : 'pushState'](null, '', url);
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event('change'));
  }
}

const KEPT = new Set(['range', 'since', 'until', 'zone', 'compare', 'currency', 'q', 'budget']);

/** @param {URLSearchParams} params */
function text(params) {
  const made = params.toString().replaceAll('%3A', ':').replaceAll('%2C', ',').replaceAll('%2F', '/');
  return made ? `?${made}` : '';
}
