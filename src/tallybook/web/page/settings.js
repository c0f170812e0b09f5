/**
 * Settings: keys, projects, prices, what is kept and for how long, what an examination finds.
 */
import { LitElement, css, html } from '../vendor/lit-3.3.3.js';
import { panel } from '../component/page.js';
import '../component/finding-list.js';
import '../component/key-list.js';
import '../component/price-list.js';
import '../component/project-list.js';
import '../component/setting-list.js';

class SettingsPage extends LitElement {
  static styles = [panel, css`
    h1 { font-size: 1.5rem; margin: 0 0 var(--tb-4); }
    .panel { margin-bottom: var(--tb-4); }
  `];

  render() {
    return html`<h1>Settings</h1>
      <div class="panel"><tb-finding-list></tb-finding-list></div>
      <div class="panel"><tb-key-list></tb-key-list></div>
      <div class="panel"><tb-project-list></tb-project-list></div>
      <div class="panel"><tb-price-list></tb-price-list></div>
      <div class="panel"><tb-setting-list></tb-setting-list></div>`;
  }
}

customElements.define('tb-settings-page', SettingsPage);
