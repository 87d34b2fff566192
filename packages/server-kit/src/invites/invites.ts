/** Owns invites: who may make what of them is the app's, that they cannot be made up, moved or worn out is theirs. */
import { type Clock, check, type Logger, resolveOptions, silentLogger, systemClock } from '@guildkit/core';
import { jwtVerify, SignJWT } from 'jose';
import { readSecrets, type SecretInput } from '../shared/secrets.js';
import { InviteError, type InviteErrorCode } from './errors.js';
import { type InviteStore, memoryInviteStore } from './invite-store.js';

/** What an invite says. */
export interface InviteClaims {
  /** The invite's own id. */
  readonly jti: string;
  readonly guildId: string;
  /** The one room that it opens. */
  readonly channelId: string;
  /** The role that whoever uses it is given. */
  readonly roleId: string;
  readonly creatorId: string;
  /** How many people may use it; `undefined` for any number. */
  readonly maxUses: number | undefined;
  /** Unix ms. */
  readonly expiresAt: number;
}

/** What an invite is made of. */
export interface NewInvite {
  readonly guildId: string;
  readonly channelId: string;
  readonly roleId: string;
  readonly creatorId: string;
  /** @defaultValue any number */
  readonly maxUses?: number | undefined;
}

/** Settings of {@link createInvites}. */
export interface InvitesOptions {
  /** `INVITE_SECRET`. The first one signs, all verify. */
  readonly secrets: SecretInput;
  /** Revocations and uses. @defaultValue a store in this process */
  readonly store?: InviteStore | undefined;
  /** How long an invite is good, in seconds. @defaultValue 86400: a day */
  readonly expiresInSeconds?: number | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

/** What was counted. */
export interface InviteStats {
  readonly created: number;
  /** Uses that were counted; the same person again is none. */
  readonly used: number;
  readonly refused: Readonly<Partial<Record<InviteErrorCode, number>>>;
}

/** Makes and looks at invites. */
export interface Invites {
  /** @throws TypeError on ids that are none. */
  create(invite: NewInvite): Promise<{ readonly token: string; readonly claims: InviteClaims }>;
  /**
   * Looks at an invite without using it.
   *
   * @param channelId The room it is presented for; without it any room will do.
   * @throws InviteError
   */
  verify(token: string, channelId?: string): Promise<InviteClaims>;
  /**
   * Uses an invite. The same person may use theirs again: joining is repeated after failures.
   *
   * @throws InviteError
   */
  redeem(token: string, userId: string, channelId?: string): Promise<InviteClaims>;
  /** Calls one invite back. Idempotent. @throws InviteError when it is none. */
  revoke(token: string): Promise<void>;
  /** Calls every invite of a room back: when the room closes. */
  revokeRoom(channelId: string): Promise<void>;
  /** What was counted so far. */
  stats(): InviteStats;
}

interface Settings {
  readonly secrets: SecretInput;
  readonly store: InviteStore | undefined;
  readonly expiresInSeconds: number;
  readonly logger: Logger;
  readonly clock: Clock;
}

const DEFAULTS: Settings = {
  secrets: [],
  store: undefined,
  expiresInSeconds: 86_400,
  logger: silentLogger,
  clock: systemClock,
};

/** Tells invites from other tokens signed with the same secret (RFC 8725, section 3.11). */
const TYPE = 'invite+jwt';
const SNOWFLAKE = /^[0-9]{1,20}$/;
/** A real one has about 400 letters. */
const MAX_TOKEN_LENGTH = 2_048;
const MAX_USES = 1_000;

/**
 * Creates the maker of invites.
 *
 * @throws TypeError on options out of range.
 *
 * @example
 * ```ts
 * import { createInvites } from '@guildkit/server-kit/invites';
 *
 * const invites = createInvites({ secrets: 'a secret of at least 16 characters' });
 * const { token } = await invites.create({ guildId: '1', channelId: '10', roleId: '20', creatorId: '42', maxUses: 3 });
 * const { roleId } = await invites.redeem(token, '43', '10');
 * ```
 */
export function createInvites(options: InvitesOptions): Invites {
  const settings = resolveOptions('createInvites', DEFAULTS, options, {
    expiresInSeconds: check.integer(1, 31_536_000),
  });
  const { expiresInSeconds, logger, clock } = settings;
  const store = settings.store ?? memoryInviteStore({ clock });
  const keys = readSecrets('createInvites', settings.secrets).map((secret) =>
    new TextEncoder().encode(secret.reveal()),
  );
  const counts = { created: 0, used: 0 };
  const refused: Partial<Record<InviteErrorCode, number>> = {};

  async function counted<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (InviteError.is(error)) {
        refused[error.code] = (refused[error.code] ?? 0) + 1;
        logger.warn({ code: error.code }, 'invite refused');
      }
      throw error;
    }
  }

  async function read(token: string): Promise<InviteClaims> {
    if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) throw new InviteError('ERR_INVITE_TOKEN_INVALID');
    let expired = false;
    for (const key of keys) {
      try {
        const currentDate = new Date(clock.wallTime());
        const { payload } = await jwtVerify(token, key, {
          algorithms: ['HS256'],
          typ: TYPE,
          currentDate,
          requiredClaims: ['exp', 'jti'],
        });
        const claims = toClaims(payload);
        if (claims !== undefined) return claims;
      } catch (error) {
        expired ||= (error as { code?: unknown }).code === 'ERR_JWT_EXPIRED';
      }
    }
    throw new InviteError(expired ? 'ERR_INVITE_TOKEN_EXPIRED' : 'ERR_INVITE_TOKEN_INVALID');
  }

  async function verify(token: string, channelId: string | undefined): Promise<InviteClaims> {
    const claims = await read(token);
    if (channelId !== undefined && channelId !== claims.channelId) throw new InviteError('ERR_INVITE_ROOM_MISMATCH');
    if (await store.isRevoked(claims.jti, claims.channelId)) throw new InviteError('ERR_INVITE_TOKEN_REVOKED');
    return claims;
  }

  async function redeem(token: string, userId: string, channelId: string | undefined): Promise<InviteClaims> {
    const claims = await verify(token, channelId);
    const { jti, maxUses, expiresAt } = claims;
    if (maxUses === undefined) {
      counts.used += 1;
      return claims;
    }
    const use = await store.use(jti, userId, maxUses, expiresAt);
    if (use === 'spent') throw new InviteError('ERR_INVITE_USES_SPENT');
    if (use === 'counted') counts.used += 1;
    return claims;
  }

  return {
    async create({ guildId, channelId, roleId, creatorId, maxUses }) {
      for (const [name, id] of Object.entries({ guildId, channelId, roleId })) {
        if (!SNOWFLAKE.test(id)) throw new TypeError(`create: ${name} must be a Discord id`);
      }
      if (typeof creatorId !== 'string' || creatorId === '' || creatorId.length > 128) {
        throw new TypeError('create: creatorId must be a user id');
      }
      if (maxUses !== undefined && check.integer(1, MAX_USES)(maxUses) !== undefined) {
        throw new TypeError(`create: maxUses must be an integer from 1 to ${MAX_USES}`);
      }
      const issuedAt = Math.floor(clock.wallTime() / 1000);
      const exp = issuedAt + expiresInSeconds;
      const jti = crypto.randomUUID();
      const uses = maxUses === undefined ? {} : { maxUses };
      const token = await new SignJWT({ guildId, channelId, roleId, creatorId, ...uses })
        .setProtectedHeader({ alg: 'HS256', typ: TYPE })
        .setJti(jti)
        .setIssuedAt(issuedAt)
        .setExpirationTime(exp)
        .sign(keys[0] as Uint8Array);
      counts.created += 1;
      return { token, claims: { jti, guildId, channelId, roleId, creatorId, maxUses, expiresAt: exp * 1000 } };
    },
    verify: (token, channelId) => counted(verify(token, channelId)),
    redeem: (token, userId, channelId) => counted(redeem(token, userId, channelId)),
    async revoke(token) {
      const { jti, expiresAt } = await counted(read(token));
      await store.revoke(jti, expiresAt);
      logger.info({ jti }, 'invite revoked');
    },
    async revokeRoom(channelId) {
      // An invite made a moment ago is the last to expire.
      await store.revokeRoom(channelId, clock.wallTime() + (expiresInSeconds + 1) * 1000);
      logger.info({ channelId }, 'invites of a room revoked');
    },
    stats: () => ({ ...counts, refused: { ...refused } }),
  };
}

function toClaims(payload: Readonly<Record<string, unknown>>): InviteClaims | undefined {
  const { jti, guildId, channelId, roleId, creatorId, maxUses, exp } = payload;
  const ids = [guildId, channelId, roleId].every((id) => typeof id === 'string' && SNOWFLAKE.test(id));
  const usable = maxUses === undefined || (Number.isSafeInteger(maxUses) && (maxUses as number) > 0);
  if (!ids || !usable || typeof jti !== 'string' || typeof creatorId !== 'string' || typeof exp !== 'number')
    return undefined;
  return { jti, guildId, channelId, roleId, creatorId, maxUses, expiresAt: exp * 1000 } as InviteClaims;
}
