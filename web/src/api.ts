/**
 * One way to ask the service: JSON in, JSON out, with a time limit and abort.
 * Every failure is an ApiError that carries a problem (the service's own, or one that says what happened on the way).
 */
import type { Problem } from './types/http';

export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
    this.name = 'ApiError';
  }

  get status(): number {
    return this.problem.status;
  }
}

export interface AskOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  body?: unknown;
  signal?: AbortSignal;
  timeoutMs?: number;
  /** Makes repeating an unsafe request harmless. */
  idempotencyKey?: string;
}

const TIMEOUT_MS = 15_000;
const signedOut = new Set<() => void>();

/** Called whenever the service answers 401: the session has ended. */
export function onSignedOut(callback: () => void): void {
  signedOut.add(callback);
}

function problemOf(status: number, code: string, detail: string, body: Partial<Problem> = {}): Problem {
  return {
    status,
    code: body.code ?? code,
    title: body.title ?? code,
    detail: body.detail ?? detail,
    near: Array.isArray(body.near) ? body.near : [],
    planNeeded: body.planNeeded ?? null,
    requestId: body.requestId ?? null,
  };
}

async function problemIn(response: Response): Promise<Problem> {
  const fallback = `The service answered ${response.status}.`;
  try {
    const body: unknown = await response.json();
    const known = typeof body === 'object' && body !== null ? (body as Partial<Problem>) : {};
    return problemOf(response.status, 'unexpected_answer', fallback, known);
  } catch {
    return problemOf(response.status, 'unexpected_answer', fallback);
  }
}

function headersOf(options: AskOptions): Record<string, string> {
  return {
    Accept: 'application/json',
    ...(options.body === undefined ? {} : { 'Content-Type': 'application/json' }),
    ...(options.idempotencyKey ? { 'Idempotency-Key': options.idempotencyKey } : {}),
  };
}

/** True for a request that was given up by its own caller: nothing to show. */
export function wasAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

/** A problem for anything that was thrown while asking. */
export function problemFrom(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  return problemOf(0, 'page_error', error instanceof Error ? error.message : String(error));
}

/** The answer to one request. Throws ApiError; an abort by `options.signal` is thrown as the browser's AbortError. */
export async function ask<T>(path: string, options: AskOptions = {}): Promise<T> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout;
  let response: Response;
  try {
    response = await fetch(path, {
      method: options.method ?? 'GET',
      headers: headersOf(options),
      body: options.body === undefined ? null : JSON.stringify(options.body),
      credentials: 'same-origin',
      signal,
    });
    if (response.ok) return (await response.json()) as T;
  } catch (error) {
    if (options.signal?.aborted) throw new DOMException('given up', 'AbortError');
    const late = timeout.aborted;
    throw new ApiError(
      late
        ? problemOf(0, 'timeout', 'The service did not answer in time.')
        : problemOf(0, 'unreachable', `The service cannot be reached (${error instanceof Error ? error.message : 'network'}).`),
    );
  }
  if (response.status === 401) signedOut.forEach((callback) => callback());
  throw new ApiError(await problemIn(response));
}

/** A path with its query; null and undefined are left out. */
export function withQuery(path: string, query: Record<string, string | number | boolean | null | undefined>): string {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) parts.set(name, String(value));
  }
  const text = parts.toString();
  return text ? `${path}?${text}` : path;
}
