// An app for the load of commands: each command publishes an event to everyone.
import { createServer } from 'node:http';
import { CommandBus, createTokenBucket, defineCommand } from '@guildkit/server-kit/commands';
import { RealtimeHub } from '@guildkit/server-kit/hub';

const { limited } = JSON.parse(process.argv[2]);
const text = { safeParse: (value) => ({ success: true, data: value }) };
const hear = (name) =>
  defineCommand({
    input: text,
    run: async ({ at }) => {
      const { seq } = await hub.publish('user:bench', 'bench', { at, name, pad: 'x'.repeat(120) });
      return { seq };
    },
  });
const userBucket = limited ? createTokenBucket() : false;
const bus = new CommandBus({
  commands: Object.fromEntries(
    ['sendMessage', 'addReaction', 'typingStart', 'ackDropout'].map((name) => [name, hear(name)]),
  ),
  userBucket,
});
const hub = new RealtimeHub({
  origins: [],
  authenticate: ({ token }) => ({ userId: token, roles: [], expiresAt: Number.POSITIVE_INFINITY }),
  authorize: () => true,
  maxConnections: 10_000,
  maxConnectionsPerUser: 10_000,
  onCommand: bus.handle,
});
const server = createServer();
hub.attach(server, { sse: '/sse' });
server.listen(0, '127.0.0.1', () => process.send({ type: 'ready', port: server.address().port }));
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send({
    type: 'stats',
    outcomes: bus.stats().outcomes,
    cpuMs: (user + system) / 1_000,
    closes: hub.stats().closes,
  });
});
