'use client';
/** Owns a command in React: what the last call is about. Refuses to decide when a call is made. */
import { isErrorNamed } from '@guildkit/core';
import { useCallback, useMemo, useRef, useState } from 'react';
import type { CommandInput, CommandOptions, CommandResult } from '../commands.js';
import type { CommandError } from '../errors.js';
import { useRealtimeClient } from './provider.js';

/** Where the last call of a command stands. */
interface Call<N extends string> {
  readonly isPending: boolean;
  readonly result?: CommandResult<N> | undefined;
  readonly error?: CommandError | undefined;
}

/** What {@link useCommand} returns. */
export interface UseCommand<N extends string> extends Call<N> {
  /**
   * Makes a call. The same function until the name changes.
   *
   * @returns whether it was carried out; `error` says why not.
   * @throws TypeError when the client was made without the option `commands`, or an option of the call is wrong.
   */
  readonly run: (input: CommandInput<N>, options?: CommandOptions) => Promise<boolean>;
  /** Forgets result and error; a call under way goes on unseen. */
  readonly reset: () => void;
}

const NO_CALL = { isPending: false } as const;

/**
 * Sends a command and shows where the last call stands.
 *
 * @example
 * ```tsx
 * const { run, isPending, error } = useCommand('sendMessage');
 * return <button disabled={isPending} onClick={() => void run({ channelId, content: 'hi' })}>{error ? 'Again' : 'Say hi'}</button>;
 * ```
 */
export function useCommand<N extends string>(name: N): UseCommand<N> {
  const client = useRealtimeClient();
  const [call, setCall] = useState<Call<N>>(NO_CALL);
  /** Of calls that overlap only the last one is shown. */
  const latest = useRef(0);
  const run = useCallback(
    async (input: CommandInput<N>, options?: CommandOptions) => {
      const mine = ++latest.current;
      const show = (next: Call<N>): void => {
        if (mine === latest.current) setCall(next);
      };
      show({ isPending: true });
      try {
        show({ isPending: false, result: await client.command(name, input, options) });
        return true;
      } catch (error) {
        if (isErrorNamed(error, 'CommandError')) {
          show({ isPending: false, error: error as CommandError });
          return false;
        }
        // A mistake in the calling code.
        show(NO_CALL);
        throw error;
      }
    },
    [client, name],
  );
  const reset = useCallback(() => {
    latest.current += 1;
    setCall(NO_CALL);
  }, []);
  return useMemo(() => ({ ...call, run, reset }), [call, run, reset]);
}
