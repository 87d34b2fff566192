'use client';
/** Owns the connection's state in React. */
import { useCallback, useMemo, useSyncExternalStore } from 'react';
import { type ConnectionView, IDLE_CONNECTION } from '../views.js';
import { useRealtimeClient } from './provider.js';

/** What {@link useConnection} returns. */
export interface UseConnection extends ConnectionView {
  /** Tries now, with the tries counted anew. */
  readonly reconnect: () => void;
}

/** The connection's state, and how to try again when it has given up. */
export function useConnection(): UseConnection {
  const client = useRealtimeClient();
  const state = useSyncExternalStore(
    useCallback((listener: () => void) => client.subscribeState(listener), [client]),
    () => client.state,
    () => IDLE_CONNECTION,
  );
  return useMemo(() => ({ ...state, reconnect: () => client.reconnect() }), [state, client]);
}
