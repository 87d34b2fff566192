/** A client, a hub and a clock, wired in memory. */
import {
  RealtimeClient,
  type RealtimeClientSettings,
  type RealtimeError,
  type Transport,
} from '@guildkit/realtime-client';
import { createVirtualClock, type VirtualClock } from '@guildkit/testkit';
import { createTestEnvironment, type TestEnvironment } from './environment.js';
import { type HubOptions, memoryTransport, ScriptedHub } from './scripted-hub.js';

export interface Setup {
  readonly hub: ScriptedHub;
  readonly clock: VirtualClock;
  readonly environment: TestEnvironment;
  readonly client: RealtimeClient;
  readonly errors: RealtimeError[];
  /** Every status the client showed, in order. */
  readonly statuses: string[];
  /** Lets what only waits for promises happen. */
  settle(): Promise<void>;
}

/** What a test changes about its client. */
export type SetupOptions = Partial<RealtimeClientSettings & { readonly transport: Transport }>;

export function setup(
  options: SetupOptions = {},
  hubOptions: HubOptions = {},
  wrap: (transport: Transport) => Transport = (transport) => transport,
): Setup {
  const hub = new ScriptedHub(hubOptions);
  const clock = createVirtualClock();
  const environment = createTestEnvironment();
  const client = new RealtimeClient({
    url: 'ws://hub.test/api/ws',
    getToken: () => 'good',
    transport: wrap(memoryTransport(hub)),
    environment,
    clock,
    random: () => 0.5,
    ...options,
  });
  const errors: RealtimeError[] = [];
  const statuses: string[] = [client.state.status];
  client.onError((error) => errors.push(error));
  client.subscribeState(() => {
    if (client.state.status !== statuses.at(-1)) statuses.push(client.state.status);
  });
  return {
    hub,
    clock,
    environment,
    client,
    errors,
    statuses,
    settle: async () => {
      await clock.advance(0);
      await clock.advance(0);
    },
  };
}
