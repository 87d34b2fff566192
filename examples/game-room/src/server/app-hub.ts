/** Owns how the hub is asked for: which pages may connect, who they are, which rooms they may listen to. */
import { parseRoom } from '@guildkit/core/wire';
import { RealtimeHub, type RealtimeHubOptions } from '@guildkit/server-kit/hub';
import type { JwtVerifier } from '@guildkit/server-kit/jwt';
import type { Access } from './access.js';
import type { Login } from './login.js';
import { sameOrigin } from './origins.js';
import type { Settings } from './settings.js';

export interface AppHubOptions extends Pick<RealtimeHubOptions, 'engine' | 'logger'> {
  readonly settings: Pick<Settings, 'baseUrl' | 'maxReconnectAttempts'>;
  readonly guildId: string;
  readonly login: Login;
  readonly verifier: Pick<JwtVerifier, 'verify'>;
  readonly access: Pick<Access, 'mayListen'>;
  readonly allowsOrigin: (origin: string, headers: Headers) => boolean;
  readonly onCommand: NonNullable<RealtimeHubOptions['onCommand']>;
}

export function createAppHub(options: AppHubOptions): RealtimeHub {
  const { settings, guildId, login, verifier, access, allowsOrigin, onCommand, engine, logger } = options;
  return new RealtimeHub({
    // Pages alone connect here, and a page always says where it is from.
    origins: (origin, { headers }) => {
      const from = origin ?? sameOrigin(settings.baseUrl, headers);
      return from !== undefined && allowsOrigin(from, headers);
    },
    authenticate: ({ token, headers }) =>
      token === undefined ? login.sessions.read({ headers }) : verifier.verify(token),
    authorize: ({ userId }, room) => {
      const name = parseRoom(room);
      if (name?.kind === 'channel') return access.mayListen(userId, name.id);
      if (name?.kind === 'guild') return name.id === guildId;
      return name?.id === userId;
    },
    onCommand,
    engine,
    maxReconnectAttempts: settings.maxReconnectAttempts,
    // The page of all rooms listens to each of them. Discord allows 500 channels in a server.
    maxSubscriptions: 500,
    logger,
  });
}
