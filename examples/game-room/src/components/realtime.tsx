/** Owns the page's one connection to the hub. The provider opens it once the page runs; it lives as long as the page. */
import {
  createCommandQueue,
  fallbackTransport,
  RealtimeClient,
  sseTransport,
  webSocketTransport,
} from '@guildkit/realtime-client';
import { RealtimeProvider } from '@guildkit/realtime-client/react';
import { type ReactNode, useState } from 'react';

async function fetchToken(): Promise<string> {
  const response = await fetch('/api/token', { method: 'POST' });
  if (response.status === 401) {
    // The session has ended, and could not be renewed unseen: through the login, and back here.
    const { pathname, search } = location;
    location.assign(`/auth/discord/login?returnTo=${encodeURIComponent(pathname + search)}`);
  }
  if (!response.ok) throw new Error(`The server gave no token (${response.status}).`);
  const { token } = (await response.json()) as { token: string };
  return token;
}

/** Networks that let no WebSocket through get server-sent events. */
function createClient(): RealtimeClient {
  const ways = [webSocketTransport({ url: '/api/ws' }), sseTransport({ url: '/api/stream' })];
  return new RealtimeClient({
    transport: fallbackTransport(ways, globalThis.sessionStorage),
    getToken: fetchToken,
    commands: createCommandQueue(),
  });
}

export function Realtime({ children }: { readonly children: ReactNode }) {
  const [client] = useState(createClient);
  return <RealtimeProvider client={client}>{children}</RealtimeProvider>;
}
