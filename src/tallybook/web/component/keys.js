/**
 * The list of keys, and the switch for those who dictate or whose keyboard types by itself.
 */
import { LitElement, css, html } from '../vendor/lit-3.3.3.js';
import { KEYS, areSinglesOn, switchSingles } from '../lib/keys.js';

class Keys extends LitElement {
  static styles = css`
    dialog { border: 1px solid var(--tb-line-strong); border-radius: var(--tb-radius); background: var(--tb-raised); color: var(--tb-text); box-shadow: var(--tb-shadow); padding: var(--tb-5); width: min(30rem, calc(100vw - 2rem)); }
    dialog::backdrop { background: rgb(0 0 0 / 35%); }
    h2 { margin: 0 0 var(--tb-3); font-size: var(--tb-size-large); }
    dl { display: grid; grid-template-columns: max-content 1fr; gap: var(--tb-2) var(--tb-4); margin: 0 0 var(--tb-4); }
    dt { white-space: nowrap; }
    dd { margin: 0; }
    kbd { font: var(--tb-size-small) var(--tb-mono); border: 1px solid var(--tb-line-strong); border-bottom-width: 2px; border-radius: 4px; padding: 0.1rem 0.4rem; background: var(--tb-sunken); }
    label { display: flex; gap: var(--tb-2); align-items: center; min-height: 2rem; }
    button { font: inherit; margin-top: var(--tb-3); padding: var(--tb-2) var(--tb-4); border-radius: var(--tb-radius); border: 1px solid var(--tb-line-strong); background: var(--tb-surface); color: var(--tb-text); cursor: pointer; min-height: 2.5rem; }
    :focus-visible { outline: 2px solid var(--tb-focus); outline-offset: 2px; }
  `;

  open() {
    const dialog = /** @type {HTMLDialogElement} */ (this.renderRoot.querySelector('dialog'));
    if (!dialog.open) dialog.showModal();
  }

  render() {
    return html`<dialog aria-labelledby="keys"><h2 id="keys">Keys</h2>
      <dl>${KEYS.map(({ keys, label }) => html`<dt>${keys.map((key, number) => html`${number ? ' or ' : ''}<kbd>${key}</kbd>`)}</dt><dd>${label}</dd>`)}</dl>
      <label><input type="checkbox" .checked=${areSinglesOn()} @change=${(/** @type {Event} */ event) => switchSingles(/** @type {HTMLInputElement} */ (event.target).checked)} />Keys of a single letter</label>
      <form method="dialog"><button>Close</button></form>
    </dialog>`;
  }
}

customElements.define('tb-keys', Keys);
