/**
 * The keys of the pages: what there are, and when a single letter is one and not typing.
 */

const SWITCH = 'tallybook.single_keys';

/** @type {readonly {keys: string[], label: string, isSingle: boolean}[]} */
export const KEYS = Object.freeze([
  { keys: ['Ctrl K', '⌘ K'], label: 'Go to a page, model, project, user or call', isSingle: false },
  { keys: ['/'], label: 'Filter what is shown', isSingle: true },
  { keys: ['j', 'k'], label: 'The next call, the one before', isSingle: true },
  { keys: ['?'], label: 'This list', isSingle: true },
  { keys: ['Esc'], label: 'Close what is open', isSingle: false },
]);

/** @param {{getItem: (name: string) => string | null}} [storage] @returns {boolean} whether single letters are keys: people who dictate turn them off */
export function areSinglesOn(storage = localStorage) {
  return storage.getItem(SWITCH) !== 'off';
}

/** @param {boolean} isOn @param {Pick<Storage, 'setItem' | 'removeItem'>} [storage] */
export function switchSingles(isOn, storage = localStorage) {
  if (isOn) storage.removeItem(SWITCH);
  else storage.setItem(SWITCH, 'off');
}

/** @param {KeyboardEvent} event @returns {boolean} whether it opens the palette */
export function isPaletteKey(event) {
  return (event.metaKey || event.ctrlKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === 'k';
}

/** @param {KeyboardEvent} event @param {{getItem: (name: string) => string | null}} [storage] @returns {boolean} whether it is a key of the page: no typing, no shortcut of the browser, not turned off */
export function isSingleKey(event, storage = localStorage) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return false;
  if (event.key.length === 1 && !areSinglesOn(storage)) return false;
  return !event.composedPath().some((one) => /** @type {any} */ (one).isContentEditable || ['INPUT', 'SELECT', 'TEXTAREA', 'DIALOG'].includes(/** @type {any} */ (one).tagName));
}
