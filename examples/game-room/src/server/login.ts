/** Owns how people log in: with Discord, or with the sandbox's own consent page in its place. */
import type { Logger, Redacted } from '@guildkit/core';
import {
  createDiscordOAuth,
  createSessions,
  type Session,
  type Sessions,
  type SuccessorStore,
} from '@guildkit/server-kit/oauth';

/** Where the login's routes are. */
export const LOGIN_PATH = '/auth/discord/login';
const CALLBACK_PATH = '/auth/discord/callback';

/** What everybody who is logged in may do. */
const PLAYER_ROLES = ['chat:write', 'voice:join'];

export interface LoginOptions {
  readonly clientId: string;
  readonly clientSecret: string | Redacted;
  readonly apiBase: string | undefined;
  readonly secrets: readonly Redacted[];
  /** The app's public origin: known when it listens, so it is asked late. */
  readonly origin: () => string;
  /** Where several processes agree on sessions. */
  readonly store: SuccessorStore | undefined;
  readonly logger: Logger;
}

/** Someone, and the cookies that their answer has to set. */
export interface Visit {
  readonly session: Session | null;
  readonly cookies: readonly string[];
}

/** Logging in and out. */
export interface Login {
  readonly sessions: Sessions;
  /** Who asks. A session that has run out is renewed unseen; the new cookie goes with the answer. */
  visit(request: Request): Promise<Visit>;
  /** Begins a login, on the origin that Discord sends the browser back to: cookies of another name for it are not seen there. */
  begin(request: Request): Promise<Response>;
}

export function createLogin(options: LoginOptions): Login {
  const { clientId, clientSecret, apiBase, secrets, origin, store, logger } = options;
  let made: Sessions | undefined;
  const sessions = (): Sessions => {
    made ??= createSessions({
      oauth: createDiscordOAuth({ clientId, clientSecret, apiBase, redirectUri: origin() + CALLBACK_PATH }),
      secrets,
      origin: origin(),
      loginPath: LOGIN_PATH,
      rolesOf: () => PLAYER_ROLES,
      store,
      logger,
    });
    return made;
  };
  return {
    get sessions() {
      return sessions();
    },
    async visit(request) {
      // Nobody, without a word in the log: most requests without a cookie are first visits.
      if (!request.headers.has('cookie')) return { session: null, cookies: [] };
      let session: Session | null = null;
      const look = sessions().requireSession((_request, found) => {
        session = found.session;
        return new Response(null, { status: 204 });
      });
      // As a GET: who asks is all that is wanted here. What changes something is checked for its origin where it is served.
      const response = await look(new Request(request.url, { headers: request.headers }));
      return { session, cookies: response.headers.getSetCookie() };
    },
    async begin(request) {
      const { host, search } = new URL(request.url);
      const home = new URL(origin());
      if (host !== home.host) return Response.redirect(`${home.origin}${LOGIN_PATH}${search}`, 302);
      return sessions().loginHandler(request);
    },
  };
}
