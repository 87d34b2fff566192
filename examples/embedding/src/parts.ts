/** The parts that every server here mounts: handlers of the Web's shape by method and path, and a hub. */
import { createWebhookReceiver } from '@guildkit/server-kit/hmac';
import { createHandler, createHealthHandler, jsonResponse, readJson } from '@guildkit/server-kit/http';
import { RealtimeHub } from '@guildkit/server-kit/hub';
import { createJwtGuard, createJwtIssuer, createJwtVerifier } from '@guildkit/server-kit/jwt';

/** A handler of the Web's shape. */
export type Handler = (request: Request) => Promise<Response>;

/** The handlers by name, for servers whose routes are files. */
export type HandlerName = 'health' | 'keys' | 'me' | 'echo' | 'webhook';

/** What a server mounts. */
export interface Parts {
  readonly handlers: Readonly<Record<HandlerName, Handler>>;
  readonly routes: readonly { readonly method: 'GET' | 'POST'; readonly path: string; readonly handler: Handler }[];
  readonly hub: RealtimeHub;
  /** A token of a user, as a login would give it. */
  token(userId: string): Promise<string>;
}

/** A server that listens. */
export interface Listening {
  readonly port: number;
  close(): Promise<void>;
}

export const ORIGIN = 'https://app.example';

/** Makes the parts; the webhooks' secret comes from the settings. */
export async function createParts(secrets: string): Promise<Parts> {
  const names = { issuer: ORIGIN, audience: 'app' };
  const issuer = await createJwtIssuer(names);
  const verifier = createJwtVerifier({ ...names, jwks: issuer.jwks() });
  const guard = createJwtGuard({ verifier });
  const hub = new RealtimeHub({
    origins: [ORIGIN],
    authenticate: ({ token }) => (token === undefined ? null : verifier.verify(token)),
    authorize: ({ userId }, room) => room === `user:${userId}`,
  });
  const receiver = createWebhookReceiver({ secrets, onEvent: hub.publishDiscordEvent });
  const health = createHealthHandler({ checks: { hub: () => ({ ok: true, connections: hub.stats().connections }) } });
  const echo = createHandler(async (request) => jsonResponse(await readJson(request), { status: 201 }), {
    origins: [ORIGIN],
  });
  const handlers = {
    health,
    keys: issuer.handler,
    me: guard.protect((_, { principal }) => jsonResponse(principal)),
    echo,
    webhook: receiver.handler,
  };
  return {
    hub,
    handlers,
    routes: [
      { method: 'GET', path: '/health', handler: handlers.health },
      { method: 'GET', path: '/.well-known/jwks.json', handler: handlers.keys },
      { method: 'GET', path: '/api/me', handler: handlers.me },
      { method: 'POST', path: '/api/echo', handler: handlers.echo },
      { method: 'POST', path: '/api/hub', handler: handlers.webhook },
    ],
    token: async (userId) => (await issuer.sign({ userId })).token,
  };
}
