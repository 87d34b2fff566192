/** An engine on a test's server, with what a test needs to look behind it. */
import { type RedisEngine, type RedisEngineOptions, type RedisSubscriber, redisEngine } from '@guildkit/redis';
import { applyRoomEvent, initialRoomState } from '@guildkit/server-kit/hub';
import { connectTo, type TestRedis } from './redis-server.js';

export interface EngineOnRedis {
  readonly engine: RedisEngine;
  readonly client: Awaited<ReturnType<typeof connectTo>>;
  /** The engine's listening connection; `undefined` before the first watch. */
  readonly subscriber: () => (RedisSubscriber & { ping(): Promise<unknown> }) | undefined;
}

export async function engineOn(
  server: TestRedis,
  options: Omit<RedisEngineOptions, 'client' | 'applyRoomEvent' | 'initialRoomState'>,
): Promise<EngineOnRedis> {
  const client = await connectTo(server.path);
  let subscriber: ReturnType<EngineOnRedis['subscriber']>;
  const engine = redisEngine({
    client: {
      evalSha: (sha, each) => client.evalSha(sha, each),
      eval: (script, each) => client.eval(script, each),
      get isReady() {
        return client.isReady;
      },
      duplicate: () => {
        const made = client.duplicate();
        subscriber = made;
        return made;
      },
    },
    applyRoomEvent,
    initialRoomState,
    ...options,
  });
  const close = engine.close.bind(engine);
  engine.close = async () => {
    await close();
    if (client.isOpen) client.destroy();
  };
  return { engine, client, subscriber: () => subscriber };
}
