/**
 * An app process that stands for the ownership of the gateway and publishes its events to a hub on Redis. Says what
 * becomes of it; when it was deposed it tries what a process would that does not know yet, and says what came of that.
 * Greets everyone who joins, by a message whose nonce is the event's id.
 * Arguments: a JSON of `{ connection, socket, leaseMs, greetings }`.
 */
import { DiscordGatewayClient } from '@guildkit/gateway';
import {
  createShardOwner,
  RedisError,
  redisEngine,
  redisIdentifyQueue,
  redisSessionStore,
  runOwnedGateway,
  type ShardOwnership,
} from '@guildkit/redis';
import { DiscordRestClient } from '@guildkit/rest';
import { applyRoomEvent, initialRoomState, RealtimeHub } from '@guildkit/server-kit/hub';
import { createClient } from 'redis';

interface Arguments {
  readonly connection: { readonly token: string; readonly apiBase: string; readonly guildId: string };
  readonly socket: string;
  readonly leaseMs: number;
  /** The text channel of the greetings. */
  readonly greetings: string;
}

export type OwnerNews =
  | { readonly kind: 'elected'; readonly term: number }
  | { readonly kind: 'connected'; readonly how: 'ready' | 'resumed' }
  | { readonly kind: 'deposed'; readonly reason: string; readonly late: readonly string[] }
  | { readonly kind: 'closed' };

const { connection, socket, leaseMs, greetings } = JSON.parse(process.argv[2] ?? '{}') as Arguments;
const say = (news: OwnerNews): void => void process.send?.(news);
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'taken',
    (error: unknown) => (RedisError.is(error) ? error.code : String(error)),
  );

async function main(): Promise<void> {
  const client = createClient({ socket: { path: socket, tls: false } });
  client.on('error', () => {});
  await client.connect();
  const engine = redisEngine({ client, applyRoomEvent, initialRoomState });
  const hub = new RealtimeHub({ origins: [], authenticate: () => null, authorize: () => false, engine });
  hub.on('error', () => {});
  const rest = new DiscordRestClient({ ...connection, globalRequestsPerSecond: 1_000 });

  /** What a stopped process may have had in its hands. */
  async function writeLate(ownership: ShardOwnership): Promise<string[]> {
    const store = redisSessionStore({ client, ownership });
    const session = { sessionId: 'old', seq: 1, resumeUrl: 'wss://old', userId: '1', savedAt: 1 };
    const publish = (room: string) =>
      engine.fenced(ownership, () =>
        engine.publish(room, { event: 'chat.message', payload: 'late', id: `late ${Math.random()}`, ts: 1 }),
      );
    const writes = [publish('channel:1'), publish(`channel:${process.pid}`), store.save('late', session)];
    return await Promise.all(writes.map(codeOf));
  }

  let last: ShardOwnership | undefined;
  const owner = createShardOwner({
    client,
    leaseMs,
    askEveryMs: 50,
    run: (ownership) => {
      last = ownership;
      return runOwnedGateway(ownership, {
        client,
        engine,
        gateway: (sessionStore) => {
          const identifyQueue = redisIdentifyQueue({ client });
          const intents = ['Guilds', 'GuildVoiceStates'] as const;
          const gateway = new DiscordGatewayClient({ ...connection, intents, sessionStore, identifyQueue });
          gateway.on('error', () => {});
          gateway.on('ready', () => say({ kind: 'connected', how: 'ready' }));
          gateway.on('resumed', () => say({ kind: 'connected', how: 'resumed' }));
          return gateway;
        },
        async publish(event) {
          // An event may come twice, and to two owners: what is done for it must be the same when it is done again.
          if (event.event === 'voice.joined') {
            const { userId: content } = event.payload;
            await rest.sendMessage(greetings, { content, nonce: event.id });
          }
          return hub.publishDiscordEvent(event);
        },
      });
    },
  });
  owner.on('error', () => {});
  owner.on('elected', ({ term }) => say({ kind: 'elected', term }));
  owner.on('deposed', ({ reason }) => {
    const ownership = last as ShardOwnership;
    if (reason === 'closed') return;
    void writeLate(ownership).then((late) => say({ kind: 'deposed', reason, late }));
  });
  process.on('message', async () => {
    await owner.close();
    await hub.close();
    await rest.close();
    await engine.close();
    await client.close();
    process.send?.({ kind: 'closed' } satisfies OwnerNews, () => process.exit());
  });
}

void main();
