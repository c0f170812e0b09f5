/**
 * Buttons, fields and marks as the pages of runs have them.
 */
import { css } from '../vendor/lit-3.3.3.js';

export const controls = css`
  button, select, input { font: inherit; font-size: var(--tb-size-small); color: var(--tb-text); background: var(--tb-surface); border: 1px solid var(--tb-line-strong); border-radius: var(--tb-radius); padding: 0.3rem 0.7rem; min-height: 2.25rem; box-sizing: border-box; max-width: 100%; }
  button { cursor: pointer; }
  button:hover { background: var(--tb-sunken); }
  button[aria-pressed='true'], button[aria-expanded='true'] { background: var(--tb-accent-soft); color: var(--tb-accent); }
  button.small { min-height: 1.75rem; padding: 0.1rem 0.6rem; border-color: var(--tb-line); white-space: nowrap; }
  button.danger { color: var(--tb-bad); }
  button.star { border-color: transparent; background: none; padding: 0 0.4rem; min-height: 2rem; font-size: var(--tb-size-large); line-height: 1; color: var(--tb-text-soft); }
  button.star[aria-pressed='true'] { color: var(--tb-warn); }
  label { font-size: var(--tb-size-small); color: var(--tb-text-soft); display: inline-flex; gap: var(--tb-2); align-items: center; }
  input[type='checkbox'] { min-height: 0; }
  .row { display: flex; flex-wrap: wrap; gap: var(--tb-2) var(--tb-3); align-items: center; }
  .mark { font-size: var(--tb-size-small); border: 1px solid var(--tb-line); border-radius: 1rem; padding: 0 0.6rem; color: var(--tb-text-soft); white-space: nowrap; }
  .bad { color: var(--tb-bad); }
  @media print { button, select, form { display: none; } }
`;
