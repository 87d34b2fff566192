/** Owns small facts that every process of the app has to know: a name, whose typing it is. Refuses to keep them for ever. */

/** Texts by key, each for a while. */
export interface Notes {
  get(key: string): Promise<string | undefined>;
  put(key: string, text: string, ttlMs: number): Promise<void>;
}

/** What is asked of a client of Redis: a part of node-redis. */
export interface NotesClient {
  readonly isReady: boolean;
  get(key: string): Promise<string | null>;
  set(key: string, value: string, options: { expiration: { type: 'PX'; value: number } }): Promise<unknown>;
}

/** Of a process that is alone: what it knows it knows anyway. */
export const noNotes: Notes = { get: async () => undefined, put: async () => {} };

/** @param onError Told of what could not be read or kept: a name is missing then, nothing more. */
export function redisNotes(client: NotesClient, prefix: string, onError: (error: unknown) => void): Notes {
  const keyOf = (key: string): string => `${prefix}:note:${key}`;
  return {
    async get(key) {
      if (!client.isReady) return undefined;
      try {
        return (await client.get(keyOf(key))) ?? undefined;
      } catch (error) {
        onError(error);
        return undefined;
      }
    },
    async put(key, text, ttlMs) {
      if (!client.isReady) return;
      try {
        await client.set(keyOf(key), text, { expiration: { type: 'PX', value: ttlMs } });
      } catch (error) {
        onError(error);
      }
    },
  };
}
