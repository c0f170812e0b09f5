/**
 * The chat stream as a hook. React is handed in, so that a page has one React, from wherever it has it:
 * `import * as React from 'react'; const useChatStream = hooks(React).useChatStream;`
 */
import { blank, chatStream } from './chat.js';

/** @param {{useState: Function, useRef: Function, useEffect: Function, useCallback: Function}} React */
export function hooks(React) {
  /**
   * @param {object} [options] those of `chatStream`; the callbacks of the latest rendering are called
   * @returns {{sendMessage: Function, stopStreaming: () => void, stop: () => void, isStreaming: boolean, currentContent: string,
   *   currentTree: any, status: any, response: any, error: Error | null}}
   */
  function useChatStream(options = {}) {
    const [state, setState] = React.useState(blank);
    const latest = React.useRef(options);
    latest.current = options;
    const chat = React.useRef(null);
    const open = React.useCallback(() => {
      if (chat.current === null) {
        const call = (name) => (...args) => latest.current[name]?.(...args);
        chat.current = chatStream({
          url: latest.current.url, credentials: latest.current.credentials,
          headers: () => (typeof latest.current.headers === 'function' ? latest.current.headers() : latest.current.headers ?? {}),
          onStatusUpdate: call('onStatusUpdate'), onContentChunk: call('onContentChunk'), onTreeUpdate: call('onTreeUpdate'),
          onComplete: call('onComplete'), onError: call('onError'), onEvent: call('onEvent'),
          onChange: setState,
        });
      }
      return chat.current;
    }, []);
    React.useEffect(() => () => { // A component that goes takes its stream with it.
      chat.current?.stop();
      chat.current = null;
    }, []);
    const sendMessage = React.useCallback((message, more) => open().sendMessage(message, more), [open]);
    const stop = React.useCallback(() => chat.current?.stop(), []);
    return {
      sendMessage, stop, stopStreaming: stop, isStreaming: state.isStreaming, currentContent: state.content, currentTree: state.tree,
      status: state.status, response: state.response, error: state.error,
    };
  }
  return { useChatStream };
}

/** The hook for a React that is handed in with each call. @param {any} React @param {object} [options] */
export const useChatStream = (React, options) => {
  if (!made.has(React)) made.set(React, hooks(React).useChatStream);
  return /** @type {Function} */ (made.get(React))(options);
};

/** @type {WeakMap<object, Function>} */
const made = new WeakMap();
