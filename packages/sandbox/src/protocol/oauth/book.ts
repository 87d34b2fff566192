/**
 * Owns OAuth2 grants (RFC 6749; Discord docs, OAuth2): authorization codes, access tokens, refresh tokens with
 * rotation, revocation. Pure: time and randomness come in. Bounded: the oldest authorization goes. What has no token
 * any more is forgotten.
 */
import { type Random, randomText } from '../random.js';

/** How long a code may wait to be exchanged (RFC 6749 §4.1.2 recommends at most this). */
const CODE_TTL_MS = 600_000;
/** Discord's access tokens live for seven days. */
export const ACCESS_TTL_S = 604_800;
const MAX_CODES = 1_000;
const MAX_GRANTS = 10_000;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const TOKEN_CHARS = 30;

/** What a user allowed an application. */
export interface Consent {
  readonly clientId: string;
  readonly userId: string;
  readonly scopes: readonly string[];
}

/** What an authorization request was about. */
export interface CodeRequest extends Consent {
  readonly redirectUri: string;
  /** RFC 7636; `undefined` without PKCE. */
  readonly challenge: string | undefined;
}

/** An access token's worth. */
export interface TokenGrant extends Consent {
  /** Unix ms. */
  readonly expiresAt: number;
}

/** Tokens that were given out. */
export interface TokenPair {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly scopes: readonly string[];
}

interface Authorization extends TokenGrant {
  readonly accessToken: string;
  readonly refreshToken: string;
}

interface Code extends CodeRequest {
  readonly expiresAt: number;
  /** The authorization that it became: presenting the code again ends that (RFC 6749 §4.1.2). */
  used: Authorization | undefined;
}

/** Every grant of a sandbox. */
export class OAuthBook {
  private readonly codes = new Map<string, Code>();
  private readonly byAccess = new Map<string, Authorization>();
  private readonly byRefresh = new Map<string, Authorization>();

  constructor(private readonly random: Random) {}

  /** Makes a code for what a user consented to. */
  createCode(request: CodeRequest, now: number): string {
    for (const [code, { expiresAt }] of this.codes) if (now >= expiresAt) this.codes.delete(code);
    dropOldest(this.codes, MAX_CODES);
    const code = this.text();
    this.codes.set(code, { ...request, expiresAt: now + CODE_TTL_MS, used: undefined });
    return code;
  }

  /**
   * Exchanges a code for tokens; `undefined` when it is not good for them. A code works once, for its application,
   * its redirect URI and its verifier.
   *
   * @param challenge What the verifier hashes to; `undefined` when none was sent.
   */
  exchange(
    presented: string,
    { clientId, redirectUri, challenge }: { clientId: string; redirectUri: string; challenge: string | undefined },
    now: number,
  ): TokenPair | undefined {
    const code = this.codes.get(presented);
    if (code === undefined || code.clientId !== clientId) return undefined;
    if (code.used !== undefined) {
      this.end(code.used);
      return undefined;
    }
    if (now >= code.expiresAt || code.redirectUri !== redirectUri || code.challenge !== challenge) return undefined;
    const made = this.issue(code, now);
    code.used = made;
    return made;
  }

  /** Gives out tokens for a consent. */
  grant(consent: Consent, now: number): TokenPair {
    return this.issue(consent, now);
  }

  /** Exchanges a refresh token; the pair that it belonged to is over. */
  refresh(refreshToken: string, clientId: string, now: number): TokenPair | undefined {
    const former = this.byRefresh.get(refreshToken);
    if (former === undefined || former.clientId !== clientId) return undefined;
    this.end(former);
    const made = this.issue(former, now);
    for (const code of this.codes.values()) if (code.used === former) code.used = made;
    return made;
  }

  /** Ends the authorization of a token, whichever of the two it is. Unknown tokens are nothing (RFC 7009 §2.2). */
  revoke(token: string, clientId: string): void {
    const authorization = this.byAccess.get(token) ?? this.byRefresh.get(token);
    if (authorization?.clientId !== clientId) return;
    // As Discord: every token of this user for this application.
    for (const other of [...this.byAccess.values()]) {
      if (other.clientId === clientId && other.userId === authorization.userId) this.end(other);
    }
  }

  /** Whether a user's tokens for an application cover all of some scopes. */
  hasConsent({ clientId, userId, scopes }: Consent, now: number): boolean {
    for (const other of this.byAccess.values()) {
      if (other.clientId !== clientId || other.userId !== userId || now >= other.expiresAt) continue;
      if (scopes.every((scope) => other.scopes.includes(scope))) return true;
    }
    return false;
  }

  /** What an access token is good for; `undefined` when it is not. */
  find(accessToken: string, now: number): TokenGrant | undefined {
    const authorization = this.byAccess.get(accessToken);
    return authorization === undefined || now >= authorization.expiresAt ? undefined : authorization;
  }

  private issue({ clientId, userId, scopes }: Consent, now: number): Authorization {
    const authorization: Authorization = {
      clientId,
      userId,
      scopes,
      accessToken: this.text(),
      refreshToken: this.text(),
      expiresAt: now + ACCESS_TTL_S * 1000,
    };
    if (this.byAccess.size >= MAX_GRANTS) {
      const [oldest] = this.byAccess.values();
      if (oldest !== undefined) this.end(oldest);
    }
    this.byAccess.set(authorization.accessToken, authorization);
    this.byRefresh.set(authorization.refreshToken, authorization);
    return authorization;
  }

  private end({ accessToken, refreshToken }: Authorization): void {
    this.byAccess.delete(accessToken);
    this.byRefresh.delete(refreshToken);
  }

  private text(): string {
    return randomText(this.random, TOKEN_CHARS, ALPHABET);
  }
}

function dropOldest(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size < most) return;
    map.delete(key);
  }
}
