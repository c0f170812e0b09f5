/**
 * What was said of a call or a run afterwards.
 */
import { html, nothing } from '../vendor/lit-3.3.3.js';

/** @param {any[]} feedback @param {unknown} heading with the id `scores` @returns {unknown} nothing where nothing was said */
export function scores(feedback, heading) {
  if (!feedback.length) return nothing;
  return html`${heading}<table aria-labelledby="scores"><tbody>${feedback.map((one) => html`<tr><th scope="row">${one.name ?? 'score'}</th>
    <td>${String(one.value ?? '–')}</td><td>${one.comment ?? ''}</td></tr>`)}</tbody></table>`;
}
