/**
 * The chat stream of an agent server (`POST /api/v1/chat/stream`, server-sent events) for any page: no framework.
 *
 * `const chat = chatStream({url, onContentChunk: …}); chat.sendMessage('…'); chat.stop();` The state is in `chat.state` and each
 * change is told to `onChange`. An event is `data: {"type": …, "data": …}`; types that are not known here are told to `onEvent` alone.
 */

/**
 * @typedef {object} State
 * @property {boolean} isStreaming
 * @property {string} content what came so far
 * @property {any} tree the latest execution tree
 * @property {any} status the latest status, as `{status, message}`
 * @property {any} response what the stream ended with
 * @property {Error | null} error
 */

/** @returns {State} */
export const blank = () => ({ isStreaming: false, content: '', tree: null, status: null, response: null, error: null });

/** What a server says when it refuses. */
export class ChatError extends Error {
  /** @param {string} text @param {number} [status] @param {string} [code] */
  constructor(text, status, code) {
    super(text);
    this.name = 'ChatError';
    this.status = status;
    this.code = code;
  }
}

/** Events out of text that comes in pieces cut anywhere. @returns {(piece: string) => {event: string, data: string}[]} */
export function eventParser() {
  let rest = '';
  let event = '';
  /** @type {string[]} */
  let data = [];
  let isFirst = true;
  return (piece) => {
    const found = [];
    if (isFirst && piece) {
      isFirst = false;
      piece = piece.replace(/^\uFEFF/, '');
    }
    rest += piece;
    // A carriage return at the end may be half of a line's end.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = /** @type {string} */ (lines.pop());
    for (const line of lines) {
      if (line === '') {
        if (data.length) found.push({ event: event || 'message', data: data.join('\n') });
        event = '';
        data = [];
        continue;
      }
      const at = line.indexOf(':');
      const [name, value] = at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1).replace(/^ /, '')];
      if (name === 'data') data.push(value);
      else if (name === 'event') event = value;
    }
    return found;
  };
}

/**
 * @param {object} [options]
 * @param {string} [options.url] where messages are posted
 * @param {Record<string, string> | (() => Record<string, string>)} [options.headers] as `{authorization: 'Bearer …'}`
 * @param {RequestCredentials} [options.credentials]
 * @param {(status: any, message: string | undefined) => void} [options.onStatusUpdate]
 * @param {(chunk: string, content: string) => void} [options.onContentChunk]
 * @param {(tree: any) => void} [options.onTreeUpdate]
 * @param {(response: any) => void} [options.onComplete]
 * @param {(error: Error) => void} [options.onError]
 * @param {(event: {type: string, data: any}) => void} [options.onEvent]
 * @param {(state: State) => void} [options.onChange]
 */
export function chatStream(options = {}) {
  const { url = '/api/v1/chat/stream' } = options;
  let state = blank();
  /** @type {AbortController | null} */
  let current = null;

  /** @param {Partial<State>} changed */
  const change = (changed) => {
    state = { ...state, ...changed };
    options.onChange?.(state);
  };

  /** What one event means. @param {{type: string, data: any}} told @returns {boolean} whether it is the last */
  const take = (told) => {
    const { type, data } = told;
    options.onEvent?.(told);
    if (type === 'status') {
      change({ status: data });
      options.onStatusUpdate?.(data?.status, data?.message);
    } else if (type === 'content') {
      const chunk = typeof data === 'string' ? data : data?.content ?? '';
      change({ content: state.content + chunk });
      options.onContentChunk?.(chunk, state.content);
    } else if (type === 'tree_update') {
      change({ tree: data });
      options.onTreeUpdate?.(data);
    } else if (type === 'complete' || type === 'done') {
      change({ isStreaming: false, response: data, tree: data?.metadata?.execution_tree ?? state.tree, content: state.content || (data?.message ?? '') });
      options.onComplete?.(data);
      return true;
    } else if (type === 'error') {
      throw new ChatError(data?.message ?? data?.error ?? (typeof data === 'string' ? data : 'the stream told an error'), undefined, data?.code);
    }
    return false;
  };

  /** Send a message; resolves with what the stream ended with, `null` where it was stopped or failed. @param {string | object} message @param {object} [more] */
  const sendMessage = async (message, more = {}) => {
    stop();
    const own = (current = new AbortController());
    change({ ...blank(), isStreaming: true });
    try {
      await follow(typeof message === 'string' ? { message, ...more } : { ...message, ...more }, own);
    } catch (error) {
      if (own !== current || own.signal.aborted) return null; // Stopped, or another message took its place.
      current = null;
      const told = error instanceof Error ? error : new Error(String(error));
      change({ isStreaming: false, error: told });
      options.onError?.(told);
      return null;
    }
    if (own !== current) return null;
    current = null;
    return state.response;
  };

  /** @param {object} body @param {AbortController} own */
  const follow = async (body, own) => {
    const headers = typeof options.headers === 'function' ? options.headers() : options.headers;
    const reply = await fetch(url, {
      method: 'POST', body: JSON.stringify(body), signal: own.signal, ...(options.credentials && { credentials: options.credentials }),
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...headers },
    });
    if (!reply.ok || !reply.body) {
      const told = await reply.json().catch(() => null);
      throw new ChatError(told?.error?.message ?? told?.detail ?? `the server answered ${reply.status}`, reply.status, told?.error?.code);
    }
    const reader = reply.body.getReader();
    const decoder = new TextDecoder();
    const events = eventParser();
    for (;;) {
      const { done, value } = await reader.read();
      if (own !== current) return;
      for (const { event, data } of events(done ? decoder.decode() + '\n\n' : decoder.decode(value, { stream: true }))) {
        if (data === '[DONE]') continue;
        const told = JSON.parse(data);
        if (take(told?.type === undefined ? { type: event, data: told } : told)) {
          reader.cancel().catch(() => {}); // Nothing more is wanted of it, not even how it ends.
          return;
        }
        if (own !== current) return;
      }
      if (done) throw new ChatError('the stream ended before the answer did');
    }
  };

  /** Stop the stream; what came stays. */
  const stop = () => {
    if (current === null) return;
    const own = current;
    current = null;
    own.abort();
    change({ isStreaming: false });
  };

  return { sendMessage, stop, get state() { return state; } };
}
