import type { RoomRecord } from '@guildkit/server-kit/rooms';
import { expect, test } from 'vitest';
import { createAccess } from '../../src/server/access.js';
import { createRoomDirectory } from '../../src/server/room-directory.js';

const GUILD = '900';

test('an open channel is for all, a room for whoever has a seat in it', async () => {
  const directory = createRoomDirectory(GUILD);
  for (const channelId of ['1', '2']) directory.add({ channelId, name: channelId });
  const room = { channelId: '2', creatorId: '20', holders: ['21'] } as unknown as RoomRecord;
  const { isIn, maySee, mayListen } = createAccess(
    { get: async (id) => (id === '2' ? room : undefined) },
    directory,
    () => true,
  );
  expect(await maySee('30', '1')).toBe(true);
  expect(await Promise.all(['20', '21', '30'].map((userId) => maySee(userId, '2')))).toEqual([true, true, false]);
  expect(await Promise.all(['20', '30'].map((userId) => isIn(userId, '1')))).toEqual([false, false]);
  expect(await Promise.all(['1', '2', '3'].map((id) => mayListen('30', id)))).toEqual([true, false, false]);
});

test('before anything is known of the server nobody is told no', async () => {
  const { maySee, mayListen } = createAccess({ get: async () => undefined }, createRoomDirectory(GUILD), () => true);
  expect(await maySee('30', '1')).toBe(false);
  await expect(mayListen('30', '1')).rejects.toThrow('not known yet');
});

test('before it is known which channels are rooms, none is open', async () => {
  const directory = createRoomDirectory(GUILD);
  directory.add({ channelId: '1', name: 'Private' });
  let knowsRooms = false;
  const { maySee, mayListen, openChannels } = createAccess({ get: async () => undefined }, directory, () => knowsRooms);
  expect(await maySee('30', '1')).toBe(false);
  await expect(mayListen('30', '1')).rejects.toThrow('not known yet');
  expect(openChannels(new Set())).toEqual([]);
  knowsRooms = true;
  expect(openChannels(new Set())).toEqual([{ channelId: '1', name: 'Private' }]);
  expect(openChannels(new Set(['1']))).toEqual([]);
  expect([await maySee('30', '1'), await mayListen('30', '1')]).toEqual([true, true]);
});
