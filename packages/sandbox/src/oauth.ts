/** Owns OAuth2 as a test or demo sees it: an application's credentials, and consent without a browser. */
import { SandboxError } from './errors.js';
import type { Person } from './people.js';
import { isRedirectUri, SCOPES, type Scope } from './protocol/oauth/authorize.js';
import type { RestApi } from './rest-api.js';

/** Tokens of a login. */
export interface SandboxTokens {
  /** For `Authorization: Bearer`; good for seven days. */
  readonly accessToken: string;
  /** Works once. */
  readonly refreshToken: string;
  /** What was agreed to. */
  readonly scopes: readonly string[];
}

/** OAuth2 of the first bot's application; other applications have the id of their bot and a secret of their own. */
export interface SandboxOAuth {
  /** The application's id. */
  readonly clientId: string;
  /** Its secret. */
  readonly clientSecret: string;
  /** Where a browser is sent to. */
  readonly authorizeUrl: string;
  /** Where codes and refresh tokens are exchanged. */
  readonly tokenUrl: string;
  /** Where tokens are revoked. */
  readonly revokeUrl: string;
  /**
   * Registers the addresses that an application may be returned to. Without any, every address on this machine is
   * accepted.
   *
   * @param clientId Another application than the first bot's.
   * @throws TypeError for what is no absolute http address without a fragment.
   */
  setRedirectUris(uris: readonly string[], clientId?: string): void;
  /**
   * Agrees as a person to what an authorize address asks, as its page does.
   *
   * @returns Where the browser is sent: the redirect address with `code` and `state`, or with `error`.
   * @throws SandboxError `ERR_SANDBOX_AUTHORIZE_REFUSED`.
   */
  approve(authorizeUrl: string, person: Pick<Person, 'id'>): string;
  /** Denies it. @throws SandboxError `ERR_SANDBOX_AUTHORIZE_REFUSED`. */
  deny(authorizeUrl: string): string;
  /**
   * Gives tokens for a person without any page.
   *
   * @param scopes `['identify', 'guilds.join']` by default.
   * @throws TypeError for an unknown scope.
   */
  tokensFor(person: Pick<Person, 'id'>, scopes?: readonly Scope[], clientId?: string): SandboxTokens;
}

/** Creates the view of OAuth2. */
export function createOAuth(
  rest: RestApi,
  input: { readonly clientId: string; readonly origin: string; isKnown(userId: string): boolean },
): SandboxOAuth {
  const { clientId, origin } = input;
  const known = ({ id }: Pick<Person, 'id'>): string => {
    if (input.isKnown(id)) return id;
    throw new SandboxError('ERR_SANDBOX_PERSON_UNKNOWN', `There is no person ${id}.`);
  };
  return {
    clientId,
    clientSecret: rest.secretOf(clientId),
    authorizeUrl: `${origin}/oauth2/authorize`,
    tokenUrl: `${origin}/api/oauth2/token`,
    revokeUrl: `${origin}/api/oauth2/token/revoke`,
    setRedirectUris(uris, application = clientId) {
      const wrong = uris.find((uri) => !isRedirectUri(uri));
      if (wrong !== undefined) throw new TypeError(`oauth.setRedirectUris: ${wrong} is no absolute http address`);
      rest.redirectUris.set(application, [...uris]);
    },
    approve: (url, person) => rest.decide(url, known(person)),
    deny: (url) => rest.decide(url, undefined),
    tokensFor(person, scopes = ['identify', 'guilds.join'], application = clientId) {
      const unknown = scopes.find((scope) => !Object.hasOwn(SCOPES, scope));
      if (unknown !== undefined) throw new TypeError(`oauth.tokensFor: "${unknown}" is not a scope`);
      const { accessToken, refreshToken } = rest.grant(application, known(person), scopes);
      return { accessToken, refreshToken, scopes: [...scopes] };
    },
  };
}
