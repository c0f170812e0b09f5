/**
 * Speaks to the server: JSON in and out, the server's own words when something is wrong.
 */

import { connection } from './connection.js';

const KEY = 'tallybook.key';

export class ApiError extends Error {
  /** @param {number} status 0 when the server was not reached @param {{code: string, message: string, hint?: string | null, field?: string | null}} problem */
  constructor(status, problem) {
    super(problem.message);
    this.status = status;
    this.code = problem.code;
    this.hint = problem.hint ?? null;
    this.field = problem.field ?? null;
  }

  get isOffline() {
    return this.status === 0;
  }
}

/** @param {string | null} key kept for this tab only */
export function useKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

/** @returns {Record<string, string>} */
export function access() {
  const key = sessionStorage.getItem(KEY);
  return key ? { authorization: `Bearer ${key}` } : {};
}

/**
 * @param {string} path @param {{method?: string, params?: URLSearchParams | Record<string, any>, body?: any, signal?: AbortSignal}} [how]
 * @returns {Promise<any>} the decoded answer; null for 204
 * @throws {ApiError}
 */
export async function ask(path, { method = 'GET', params, body, signal } = {}) {
  const search = params instanceof URLSearchParams ? params : new URLSearchParams(flat(params ?? {}));
  const url = search.size ? `${path}?${search}` : path;
  /** @type {Record<string, string>} */
  const headers = { accept: 'application/json', ...access() };
  if (body !== undefined) headers['content-type'] = 'application/json';
  let response;
  try {
    // Whoever asks means now: what the browser holds is asked after by its ETag, which costs the server one look.
    response = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal, cache: 'no-cache' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    connection.tell(false);
    throw new ApiError(0, { code: 'offline', message: 'The server does not answer.', hint: 'Is `tallybook serve` running?' });
  }
  connection.tell(true);
  if (response.status === 204) return null;
  const text = await response.text();
  let told;
  try {
    told = text ? JSON.parse(text) : null;
  } catch {
    throw new ApiError(response.status, { code: 'not_json', message: `The server answered ${response.status} and no JSON.` });
  }
  if (!response.ok) throw new ApiError(response.status, told?.error ?? { code: 'failed', message: `The server answered ${response.status}.` });
  return told;
}

/** @param {Record<string, any>} params @returns {string[][]} lists as several of one name, unknown left out */
function flat(params) {
  return Object.entries(params).flatMap(([name, value]) =>
    value === null || value === undefined ? [] : Array.isArray(value) ? value.map((one) => [name, String(one)]) : [[name, String(value)]],
  );
}
