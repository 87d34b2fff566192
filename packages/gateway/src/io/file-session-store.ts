/**
 * Owns sessions in files, and the count of IDENTIFYs: one per shard, replaced as a whole, readable by their owner alone.
 * Node only, and loaded only when it is used.
 */
import { type IdentifyBudget, isIdentifyBudget } from '../protocol/identify-budget.js';
import { isStoredSession, type SessionStore, type StoredSession } from './session-store.js';

/** Options of {@link fileSessionStore}. */
export interface FileSessionStoreOptions {
  /** Made when it does not exist. Keep it off shared and network disks: with a bot's token a session can be taken over. */
  readonly directory: string;
}

/** Only the owner reads and writes. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/**
 * Keeps sessions, and the count of IDENTIFYs, in a directory, for the next process on this machine.
 *
 * @throws TypeError when the directory is not named.
 */
export function fileSessionStore({ directory }: FileSessionStoreOptions): SessionStore {
  if (typeof directory !== 'string' || directory === '') {
    throw new TypeError('fileSessionStore: option "directory" must be a path');
  }
  const fileOf = (key: string): string => {
    // A key becomes a file name: nothing that leads out of the directory.
    if (!/^[A-Za-z0-9_-]{1,200}$/.test(key)) throw new TypeError('fileSessionStore: the key is no file name');
    return `${directory}/${key}.json`;
  };
  async function read(key: string): Promise<unknown> {
    const { readFile } = await import('node:fs/promises');
    const text = await readFile(fileOf(key), 'utf8').catch(ifMissing(undefined));
    return text === undefined ? undefined : parse(text);
  }

  async function replace(key: string, value: StoredSession | IdentifyBudget): Promise<void> {
    const { mkdir, open, rename, rm } = await import('node:fs/promises');
    const file = fileOf(key);
    // Another store of this directory may be writing the same key.
    const draft = `${file}.${crypto.randomUUID()}.tmp`;
    await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
    try {
      const handle = await open(draft, 'wx', FILE_MODE);
      try {
        await handle.writeFile(JSON.stringify(value));
        await handle.datasync();
      } finally {
        await handle.close();
      }
      // POSIX rename replaces in one step: a reader meets the old session or the new one, never half of one.
      await rename(draft, file);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }

  return {
    identifyBudgets: {
      async load(key) {
        const budget = await read(key);
        return isIdentifyBudget(budget) ? budget : undefined;
      },
      save: replace,
    },

    async load(key) {
      const session = await read(key);
      return isStoredSession(session) ? session : undefined;
    },

    save: replace,

    async remove(key) {
      const { rm } = await import('node:fs/promises');
      await rm(fileOf(key), { force: true });
    },
  };
}

/** What cannot be read any more is as good as nothing: the client then identifies. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function ifMissing<T>(value: T): (error: unknown) => T {
  return (error) => {
    if ((error as { code?: unknown }).code === 'ENOENT') return value;
    throw error;
  };
}
