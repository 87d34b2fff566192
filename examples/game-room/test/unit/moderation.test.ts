import { silentLogger } from '@guildkit/core';
import type { CommandContext } from '@guildkit/server-kit/commands';
import { describe, expect, test, vi } from 'vitest';
import { createModeration } from '../../src/server/moderation.js';
import type { Way } from '../../src/server/presence.js';

const [HOST, ANNA, SEAT] = ['1', '100', '900'];
const [ROOM, OTHER_ROOM, OPEN] = ['10', '20', '30'];

/** Anna is in the host's room by Discord and by a seat; rooms 10 and 20 are rooms, of two hosts; 30 is an open channel. */
function start(ways: readonly Way[]) {
  const here = [...ways];
  const done: string[] = [];
  const moderation = createModeration({
    rooms: {
      get: async (channelId: string) =>
        ({ [ROOM]: { state: 'open', creatorId: HOST }, [OTHER_ROOM]: { state: 'open', creatorId: '2' } })[
          channelId
        ] as never,
    },
    presence: {
      waysOf: (userId) => here.filter(({ discordId }) => userId === ANNA || discordId === userId),
      shownAs: (discordId) => (discordId === SEAT ? ANNA : discordId),
    },
    maySee: async (userId, channelId) => channelId === OPEN || (channelId === ROOM && [HOST, ANNA].includes(userId)),
    carryOut: async (name, input) => void done.push(`${name} ${JSON.stringify(input)}`),
    setMute: async (discordId, mute) => void done.push(`${mute ? 'mute' : 'unmute'} ${discordId}`),
    endSeat: (userId, channelId) => void done.push(`end ${userId} ${channelId}`),
    logger: silentLogger,
  });
  /** What the bus does, once a command is well-formed. */
  const command = async (name: string, input: object, userId = HOST): Promise<boolean> => {
    const { allow, run } = moderation.commands[name] as NonNullable<(typeof moderation.commands)[string]>;
    const context = { principal: { userId, roles: [], expiresAt: 0 } } as unknown as CommandContext;
    if ((await allow?.(input as never, context)) !== true) return false;
    await run?.(input as never, context);
    return true;
  };
  const arrive = (userId: string, channelId: string): void => {
    here.splice(0, here.length, ...here.filter(({ discordId }) => discordId !== userId));
    here.push({ channelId, discordId: userId, isSeat: userId === SEAT });
    moderation.apply({ event: 'voice.joined', payload: { userId, channelId } } as never);
  };
  return { command, arrive, done, isMuted: moderation.isMuted };
}

const byDiscord: Way = { channelId: ROOM, discordId: ANNA, isSeat: false };
const bySeat: Way = { channelId: ROOM, discordId: SEAT, isSeat: true };

describe('a host', () => {
  test('reaches a player in every way in which they are in the room', async () => {
    const { command, done } = start([byDiscord, bySeat]);
    expect(await command('disconnectMember', { userId: ANNA })).toBe(true);
    expect(done).toEqual(['disconnectMember {"userId":"100"}', 'disconnectMember {"userId":"900"}']);
  });

  test('reaches nobody who is elsewhere, and nobody else reaches anybody', async () => {
    const { command, done } = start([
      { ...byDiscord, channelId: OTHER_ROOM },
      { ...bySeat, channelId: OPEN },
    ]);
    for (const name of ['disconnectMember', 'muteMember', 'moveMember']) {
      expect(await command(name, { userId: ANNA, mute: true, channelId: OPEN })).toBe(false);
    }
    const { command: here } = start([byDiscord]);
    for (const other of ['2', ANNA]) expect(await here('disconnectMember', { userId: ANNA }, other)).toBe(false);
    expect(done).toEqual([]);
  });

  test('moves a player where both may be; the seat is given up', async () => {
    const { command, done } = start([byDiscord, bySeat]);
    expect(await command('moveMember', { userId: ANNA, channelId: OTHER_ROOM })).toBe(false);
    expect(await command('moveMember', { userId: ANNA, channelId: OPEN })).toBe(true);
    expect(done).toEqual(['moveMember {"userId":"100","channelId":"30"}', 'end 100 10']);
    const { command: seated } = start([bySeat]);
    expect(await seated('moveMember', { userId: ANNA, channelId: OPEN }), 'a seat is not moved').toBe(false);
  });

  test('mutes in the room alone: it is taken back elsewhere, and comes back with the player', async () => {
    const { command, arrive, done, isMuted } = start([byDiscord]);
    await command('muteMember', { userId: ANNA, mute: true });
    expect([ROOM, OPEN].map((channelId) => isMuted(ANNA, channelId))).toEqual([true, false]);
    arrive(ANNA, ROOM);
    expect(done.splice(0), 'still there').toEqual(['muteMember {"userId":"100","mute":true}']);
    arrive(ANNA, OPEN);
    arrive(ANNA, OPEN);
    arrive(ANNA, ROOM);
    expect(done.splice(0)).toEqual(['unmute 100', 'mute 100']);
    // Whoever comes back by a seat is as muted.
    arrive(SEAT, ROOM);
    expect(done.splice(0)).toEqual(['mute 900']);
    await command('muteMember', { userId: ANNA, mute: false });
    expect(isMuted(ANNA, ROOM)).toBe(false);
    arrive(ANNA, OPEN);
    expect(done).toEqual(['muteMember {"userId":"100","mute":false}', 'muteMember {"userId":"900","mute":false}']);
  });

  test('a mute that Discord refuses to carry along is logged, and disturbs nothing', async () => {
    const warn = vi.fn();
    const moderation = createModeration({
      rooms: { get: async () => ({ state: 'open', creatorId: HOST }) as never },
      presence: { waysOf: () => [byDiscord], shownAs: (id) => id },
      maySee: async () => true,
      carryOut: async () => {},
      setMute: () => Promise.reject(new Error('not in voice')),
      endSeat: () => {},
      logger: { ...silentLogger, warn },
    });
    const context = { principal: { userId: HOST } } as unknown as CommandContext;
    await moderation.commands.muteMember?.run?.({ userId: ANNA, mute: true } as never, context);
    moderation.apply({ event: 'voice.moved', payload: { userId: ANNA, channelId: OPEN } } as never);
    await expect.poll(() => warn.mock.calls.length).toBe(1);
  });
});
