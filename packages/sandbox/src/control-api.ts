/**
 * Owns the control API: people and faults over HTTP, for a sandbox that runs as a command. Answers loopback peers
 * only, and refuses a foreign Host (DNS rebinding) or Origin (another page in the same browser).
 */
import { messageOf } from '@guildkit/core';
import * as z from 'zod';
import { FAULT_ROUTES, FAULT_STATE_ROUTE } from './control-faults.js';
import { PEOPLE_ROUTES } from './control-people.js';
import { BadBody, type ControlContext, type ControlRoute, read } from './control-route.js';
import { VOICE_ROUTES } from './control-voice.js';
import { SandboxError } from './errors.js';
import type { SocketRequest } from './io/http-server.js';
import { matchRoute } from './protocol/rest/router.js';
import type { RestResponse } from './rest-api.js';

const BASE = '/control/v1';

/** Every control route. */
export const CONTROL_ROUTES: readonly ControlRoute[] = [
  {
    method: 'GET',
    path: '/sandbox',
    summary: 'Addresses and ids, without the token',
    handle: async ({ describe }) => describe(),
  },
  {
    method: 'GET',
    path: '/state',
    summary: 'The saved state: for `--state`, or `createSandbox({ state })`',
    handle: async ({ save }) => save(),
  },
  ...PEOPLE_ROUTES,
  {
    method: 'GET',
    path: '/channels',
    summary: 'All channels',
    handle: async ({ channels }) => channels.list(),
  },
  {
    method: 'POST',
    path: '/channels',
    summary: 'Create a channel: `{ name, kind?, parentId?, userLimit? }`',
    handle: async ({ channels }, _params, body) => channels.create(read(channelBody, body)),
  },
  {
    method: 'DELETE',
    path: '/channels/:channelId',
    summary: 'Delete a channel',
    handle: async ({ channels }, { channelId = '' }) => channels.delete(channelId),
  },
  {
    method: 'GET',
    path: '/channels/:channelId/messages',
    summary: 'The messages of a channel, oldest first',
    handle: async ({ channels }, { channelId = '' }) => channels.messages(channelId),
  },
  ...VOICE_ROUTES,
  FAULT_STATE_ROUTE,
  ...FAULT_ROUTES,
  {
    method: 'GET',
    path: '/traffic',
    summary: 'Counters and the last entries of the log',
    handle: async ({ traffic }) => ({ counters: traffic.counters, recent: traffic.recent }),
  },
];

const channelBody = z.object({
  name: z.string().min(1).max(100),
  kind: z.enum(['text', 'voice', 'category', 'announcement', 'stage']).optional(),
  parentId: z.string().max(20).nullish(),
  userLimit: z.int().min(0).max(99).optional(),
});

/** Status of each error a person or channel may answer with. */
const STATUS: Partial<Record<string, number>> = {
  ERR_SANDBOX_CHANNEL_UNKNOWN: 404,
  ERR_SANDBOX_PERSON_UNKNOWN: 404,
  ERR_SANDBOX_CHANNEL_FULL: 409,
  ERR_SANDBOX_PERSON_NOT_CONNECTED: 409,
  ERR_SANDBOX_PERSON_NOT_MEMBER: 409,
  ERR_SANDBOX_INVITE_UNKNOWN: 404,
  ERR_SANDBOX_MESSAGE_UNKNOWN: 404,
  ERR_SANDBOX_PERMISSION_MISSING: 403,
};

/** Answers one control request. */
export async function handleControl(context: ControlContext, request: SocketRequest): Promise<RestResponse> {
  const refusal = refusalOf(request, context.port());
  if (refusal !== undefined) return fail(403, 'forbidden', refusal);
  const path = request.target.split('?', 1)[0] ?? '';
  if (!path.startsWith(`${BASE}/`)) return fail(404, 'not_found', 'The control API is under /control/v1.');
  const match = matchRoute(CONTROL_ROUTES, request.method, path.slice(BASE.length));
  if (match.kind === 'methodNotAllowed') return fail(405, 'method_not_allowed', 'That path has another method.');
  if (match.kind !== 'found') return fail(404, 'not_found', 'There is no such control route.');
  const body = readJson(request);
  if (body === undefined) return fail(400, 'invalid_body', 'The body must be JSON, sent as application/json.');
  try {
    return respond(200, (await match.route.handle(context, match.params, body.value)) ?? {});
  } catch (error) {
    if (error instanceof BadBody) return fail(400, 'invalid_body', error.message);
    if (SandboxError.is(error)) return fail(STATUS[error.code] ?? 400, error.code, error.message);
    return fail(500, 'internal', messageOf(error));
  }
}

/** Why a request may not use the control API. */
function refusalOf({ remoteAddress, headers }: SocketRequest, port: number): string | undefined {
  if (!isLoopback(remoteAddress)) return 'The control API answers this machine only.';
  const hosts = ['127.0.0.1', 'localhost', '[::1]'].map((host) => `${host}:${port}`);
  if (typeof headers.host !== 'string' || !hosts.includes(headers.host.toLowerCase())) return 'Unexpected Host header.';
  const { origin } = headers;
  if (origin === undefined) return undefined;
  return typeof origin === 'string' && hosts.some((host) => origin.replace(/^https?:\/\//, '') === host)
    ? undefined
    : 'Foreign Origin header.';
}

/** Whether an address is this machine's own. */
export function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address);
}

function readJson({ body, headers }: SocketRequest): { readonly value: unknown } | undefined {
  if (body === '') return { value: undefined };
  // A form or text/plain body needs no preflight, so another page could send it.
  if (!/^application\/json\b/i.test(String(headers['content-type'] ?? ''))) return undefined;
  try {
    return { value: JSON.parse(body) as unknown };
  } catch {
    return undefined;
  }
}

const fail = (status: number, code: string, message: string): RestResponse =>
  respond(status, { error: { code, message } });

const respond = (status: number, body: unknown): RestResponse => ({
  status,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  body: JSON.stringify(body),
});
