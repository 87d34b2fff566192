/** Owns the three questions about a peer: may its page connect, who is it, may it hear a room. Refuses to trust the app's answers unseen. */
import { GuildkitError, messageOf, toLogText } from '@guildkit/core';
import type { Principal } from '../principal.js';
import { type AuthContext, type OriginRequest, originCheck } from '../shared/upgrade.js';
import type { AuthOutcome } from './io/connection-host.js';
import type { HubSettings } from './options.js';

/** Asks the app. Nothing here throws or rejects. */
export class Access {
  private readonly settings: HubSettings;
  private readonly isOriginAllowed: ReturnType<typeof originCheck>;
  /** Ends each wait for an answer of `authorize`. */
  private readonly questions = new Set<() => void>();

  constructor(settings: HubSettings) {
    this.settings = settings;
    this.isOriginAllowed = originCheck(settings.origins);
  }

  allowsOrigin(origin: string | undefined, request: OriginRequest): boolean {
    try {
      // Only `true` is a yes: what an async function gives is not.
      return this.isOriginAllowed(origin, request) === true;
    } catch (error) {
      // `Origin` is the caller's text, and what is thrown in an upgrade listener would end the process.
      this.settings.logger.warn({ error: toLogText(messageOf(error)) }, 'hub origins failed');
      return false;
    }
  }

  async authenticate(context: AuthContext): Promise<AuthOutcome> {
    const { authenticate, logger } = this.settings;
    try {
      const principal = await authenticate(context);
      if (principal === null) return { unavailable: false };
      if (isPrincipal(principal)) return { principal };
      logger.error({}, 'hub authenticate gave neither a principal nor null');
      return { unavailable: true };
    } catch (error) {
      const refused = GuildkitError.is(error) && !error.retryable;
      const fields = { error: toLogText(messageOf(error)), ...(GuildkitError.is(error) ? { code: error.code } : {}) };
      if (refused) logger.debug(fields, 'hub authenticate refuses');
      else logger.warn(fields, 'hub authenticate failed');
      return { unavailable: !refused };
    }
  }

  async authorize(principal: Principal, room: string): Promise<'allowed' | 'denied' | 'failed'> {
    const { authorize, logger } = this.settings;
    try {
      const answer = authorize(principal, room);
      // Only `true` is a yes: a forgotten await or a truthy object is not.
      return (typeof answer === 'boolean' ? answer : await this.inTime(answer)) === true ? 'allowed' : 'denied';
    } catch (error) {
      logger.warn({ room: toLogText(room), error: toLogText(messageOf(error)) }, 'hub authorize failed');
      return 'failed';
    }
  }

  /** Rejects when there is no answer in time: someone whose access is asked again would go on hearing the room. */
  async inTime<T>(answer: Promise<T>): Promise<T> {
    const { clock, authTimeoutMs } = this.settings;
    let giveUp = (): void => {};
    const late = new Promise<never>((_, reject) => {
      giveUp = () => reject(new Error('no answer in time'));
    });
    const timer = clock.setTimer(giveUp, authTimeoutMs);
    this.questions.add(giveUp);
    try {
      return await Promise.race([answer, late]);
    } finally {
      clock.clearTimer(timer);
      this.questions.delete(giveUp);
    }
  }

  /** Ends every wait. */
  close(): void {
    for (const giveUp of this.questions) giveUp();
  }
}

/** `authenticate` is the app's code: what it gives is looked at before it is trusted. */
function isPrincipal(value: unknown): value is Principal {
  const { userId, roles, expiresAt } = (value ?? {}) as Partial<Principal>;
  return (
    typeof userId === 'string' &&
    userId.length > 0 &&
    Array.isArray(roles) &&
    typeof expiresAt === 'number' &&
    !Number.isNaN(expiresAt)
  );
}
