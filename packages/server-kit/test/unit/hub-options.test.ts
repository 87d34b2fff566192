/** What the hub refuses to be made of, and to publish. */
import { memoryEngine, RealtimeHub, type RealtimeHubOptions } from '@guildkit/server-kit/hub';
import { describe, expect, it } from 'vitest';
import { startHub } from '../support/hub-server.js';

const OPTIONS: RealtimeHubOptions = { origins: [], authenticate: () => null, authorize: () => true };

describe('options', () => {
  const BAD: readonly [keyof RealtimeHubOptions, unknown][] = [
    ['engine', {}],
    ['engine', { ...memoryEngine(), watch: undefined }],
    ['engine', null],
    ['logger', {}],
    ['logger', { info: () => {} }],
    ['clock', { now: () => 0 }],
    ['onCommand', 'handle'],
    ['reconnectCapMs', 500],
    ['reconnectBaseMs', 60_000],
    ['maxPendingCommands', 0],
    ['announceViewers', 'yes'],
    ['origins', ['app.example']],
  ];
  it.each(BAD)('%s that is %j cannot be', (name, value) => {
    expect(() => new RealtimeHub({ ...OPTIONS, [name]: value })).toThrow(
      `"${name === 'reconnectBaseMs' ? 'reconnectCapMs' : name}"`,
    );
  });

  it('may be undefined, which is the default', () => {
    for (const name of ['engine', 'logger', 'clock', 'onCommand'] as const) {
      expect(() => new RealtimeHub({ ...OPTIONS, [name]: undefined })).not.toThrow();
    }
  });
});

describe('an event that clients build their state from', () => {
  const publish = (hub: RealtimeHub, event: string, payload: unknown) =>
    (hub.publish as (...args: unknown[]) => Promise<unknown>).call(hub, 'channel:1', event, payload);

  it('is published with the fields they read, or not at all', async () => {
    const hub = new RealtimeHub(OPTIONS);
    const bad: [string, unknown, string][] = [
      ['voice.joined', { userId: '1' }, 'guildId'],
      ['room.deleted', null, 'the payload'],
      ['room.closing', { channelId: '1', guildId: '1', closesAt: Number.POSITIVE_INFINITY }, 'closesAt'],
      [
        'voice.snapshot',
        { snapshot: { kind: 'voice', channelId: '1', members: [{}], state: 'open', stale: false } },
        'snapshot.members.0',
      ],
      ['message.created', { content: 'x' }, 'guildId'],
    ];
    for (const [event, payload, field] of bad) {
      await expect(publish(hub, event, payload)).rejects.toMatchObject({
        code: 'ERR_HUB_EVENT_INVALID',
        message: expect.stringContaining(field),
      });
    }
    expect(hub.stats().published).toBe(0);
    // Names of the app's own hold anything.
    await expect(publish(hub, 'game.scored', { any: ['thing'] })).resolves.toMatchObject({ seq: 1 });
    await expect(publish(hub, 'toString', 1)).resolves.toMatchObject({ seq: 2 });
    await hub.close();
  });

  it('is serialised once', async () => {
    const hub = new RealtimeHub(OPTIONS);
    let calls = 0;
    const payload = {
      toJSON: () => {
        calls += 1;
        return {};
      },
    };
    await publish(hub, 'game.scored', payload);
    expect(calls).toBe(1);
    await hub.close();
  });
});

it('a proof that does not end is told as null', async () => {
  await using app = await startHub();
  const client = app.connect();
  await client.welcome();
  const ack = await client.request('auth', { token: 'user-1' });
  expect(ack.payload).toEqual({ userId: 'user-1', expiresAt: null });
});
