/** Owns where a session is kept between processes. Refuses to decide when: the client does. */
import type { IdentifyBudget } from '../protocol/identify-budget.js';
import type { StoredVoice } from '../protocol/voice-record.js';
import type { IdentifyBudgetStore } from './identify-budget.js';

/** A session as it is kept. */
export interface StoredSession {
  readonly sessionId: string;
  readonly seq: number;
  readonly resumeUrl: string;
  /** The bot's user id: a resumed session is not told it again. */
  readonly userId: string;
  /** Unix ms. */
  readonly savedAt: number;
  /** When the session began, unix ms. */
  readonly startedAt?: number | undefined;
  /** Who was in voice at `seq`: a resumed session is not told it again. */
  readonly voice?: StoredVoice | undefined;
}

/**
 * Keeps sessions. A session is kept and given back as a whole: its parts belong together. It is plain JSON of up to
 * 2 MB. A key names token (as a hash), intents and shard; it holds no secret.
 */
export interface SessionStore {
  /** The session kept under a key, if there is one. */
  load(key: string): Promise<StoredSession | undefined>;
  /** Keeps a session, in place of an older one. */
  save(key: string, session: StoredSession): Promise<void>;
  /** Forgets a session; an unknown key is ignored. */
  remove(key: string): Promise<void>;
  /** Keeps the count of IDENTIFYs too. @defaultValue it is counted for the client's life, from what Discord said */
  readonly identifyBudgets?: IdentifyBudgetStore | undefined;
}

/** Keeps sessions as long as the process lives. Pass the same store to the next client to resume. */
export function memorySessionStore(): SessionStore {
  const sessions = new Map<string, StoredSession>();
  const budgets = new Map<string, IdentifyBudget>();
  return {
    identifyBudgets: {
      load: async (key) => budgets.get(key),
      save: async (key, budget) => {
        budgets.set(key, budget);
      },
    },
    load: async (key) => sessions.get(key),
    save: async (key, session) => {
      sessions.set(key, session);
    },
    remove: async (key) => {
      sessions.delete(key);
    },
  };
}

/** Whether a value that a store returned can be resumed: a file may have been written by something else. */
export function isStoredSession(value: unknown): value is StoredSession {
  if (typeof value !== 'object' || value === null) return false;
  const { sessionId, seq, resumeUrl, userId } = value as Readonly<Record<keyof StoredSession, unknown>>;
  return (
    typeof sessionId === 'string' &&
    Number.isSafeInteger(seq) &&
    typeof resumeUrl === 'string' &&
    /^wss?:\/\//.test(resumeUrl) &&
    typeof userId === 'string'
  );
}

/** Names a token without giving it away. */
export async function tokenHash(token: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token));
  const hash = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hash.slice(0, 32);
}

/** Names a session. Another token, other intents or another shard layout must not resume it. */
export function sessionKey(hash: string, intents: number, shardId: number, count: number): string {
  return `${hash}-${intents}-${shardId}-${count}`;
}

/** Names a bot's count of IDENTIFYs: it is one for all shards and intents. */
export function budgetKey(hash: string): string {
  return `${hash}-identify`;
}
