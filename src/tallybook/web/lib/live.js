/**
 * The live feed, read by fetch and not by EventSource, which can send no key. It comes back by the last id it got.
 */
import { access } from './api.js';

const RETRY_MS = 2_000;

/**
 * Events out of what a stream brings, whole ones only.
 */
export class Frames {
  #rest = '';

  /** @param {string} text @returns {{id: string | null, event: string, data: any}[]} */
  feed(text) {
    const parts = (this.#rest + text).replaceAll('\r\n', '\n').split('\n\n');
    this.#rest = parts.pop() ?? '';
    return parts.flatMap((part) => {
      /** @type {string | null} */
      let id = null;
      let event = 'message';
      const data = [];
      for (const line of part.split('\n')) {
        const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
        if (name === 'id') id = value;
        else if (name === 'event') event = value;
        else if (name === 'data') data.push(value);
      }
      return data.length ? [{ id, event, data: JSON.parse(data.join('\n')) }] : [];
    });
  }
}

/**
 * Listen until `signal` says stop.
 * @param {URLSearchParams} params @param {(event: {id: string | null, event: string, data: any}) => void} heard
 * @param {(isOn: boolean) => void} state @param {AbortSignal} signal
 */
export async function listen(params, heard, state, signal) {
  /** @type {string | null} */
  let last = null;
  while (!signal.aborted) {
    try {
      /** @type {Record<string, string>} */
      const headers = { accept: 'text/event-stream', ...access() };
      if (last) headers['last-event-id'] = last;
      const response = await fetch(`/api/v1/live?${params}`, { headers, signal });
      if (!response.ok || !response.body) throw new Error(`the feed answered ${response.status}`);
      state(true);
      const frames = new Frames();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        for (const event of frames.feed(value)) {
          last = event.id ?? last;
          heard(event);
        }
      }
    } catch {
      if (signal.aborted) return; // Anything else is a feed that broke: it is asked for again.
    }
    state(false);
    await new Promise((resolve) => { setTimeout(resolve, RETRY_MS); });
  }
}
