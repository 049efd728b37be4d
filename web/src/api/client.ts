/** Calls to the public API. The browser sends the session's cookie; nothing else is stored here. */
import type { Problem } from "./types";

const API = "/api/v1";

/** An answer that is not a success: the API's own sentence about it. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** GET a resource, e.g. `get<Risks>("/risks")`. Leaves for the sign-in page when the session is over. */
export function get<T>(path: string, parameters: Record<string, string | number> = {}): Promise<T> {
  const query = new URLSearchParams(Object.entries(parameters).map(([name, value]) => [name, String(value)]));
  return call<T>("GET", query.size > 0 ? `${path}?${query}` : path);
}

export function post<T>(path: string, body: unknown): Promise<T> {
  return call<T>("POST", path, body);
}

export function remove(path: string): Promise<void> {
  return call<void>("DELETE", path);
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(API + path, {
    method,
    headers: body === undefined ? { Accept: "application/json" } : { "Content-Type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (response.status === 401) location.assign("/login");
  if (!response.ok) throw await problem(response);
  return response.status === 204 ? (undefined as T) : ((await response.json()) as T);
}

async function problem(response: Response): Promise<ApiError> {
  try {
    const said = (await response.json()) as Problem;
    return new ApiError(response.status, said.code, said.detail ?? said.title);
  } catch {
    return new ApiError(response.status, "unknown", `The console answered ${response.status}.`);
  }
}
