'use client';
/** Owns how a client reaches the hooks. Refuses to own the client: who made it closes it. */
import { createContext, type ReactElement, type ReactNode, useContext, useEffect } from 'react';
import type { RealtimeClient } from '../realtime-client.js';

const ClientContext = createContext<RealtimeClient | undefined>(undefined);

/** Props of {@link RealtimeProvider}. */
export interface RealtimeProviderProps {
  /** Made once, outside of rendering. The provider connects it; it stays connected when the provider unmounts. */
  readonly client: RealtimeClient;
  readonly children?: ReactNode;
}

/** Gives a client to the hooks below it and connects it once the page runs: never while a server renders. */
export function RealtimeProvider({ client, children }: RealtimeProviderProps): ReactElement {
  useEffect(() => {
    // A client that was closed or has given up stays so: a remount is no wish of the user's.
    if (client.state.status === 'idle') client.connect();
  }, [client]);
  return <ClientContext.Provider value={client}>{children}</ClientContext.Provider>;
}

/**
 * The client of the provider above.
 *
 * @throws Error when there is none.
 */
export function useRealtimeClient(): RealtimeClient {
  const client = useContext(ClientContext);
  if (client === undefined) throw new Error('guildkit hooks need <RealtimeProvider client={client}> above them');
  return client;
}
