/** What is written down of the voice map, and what is believed of it. */
import { expect, test } from 'vitest';
import { VoiceMap } from '../../src/protocol/voice-map.js';
import { MAX_RECORD_ENTRIES, readVoiceRecord, recordVoice } from '../../src/protocol/voice-record.js';

const member = (userId: string, channelId = '10') => ({
  userId,
  username: `user ${userId}`,
  avatar: null,
  mute: false,
  deaf: true,
  video: false,
  channelId,
});
const all = () => true;

function map(guilds: Record<string, number>): VoiceMap {
  const voice = new VoiceMap();
  for (const [guildId, people] of Object.entries(guilds)) {
    const members = Array.from({ length: people }, (_, index) => member(String(index)));
    voice.replace(guildId, members, [{ channelId: '10', name: 'Table 1' }]);
  }
  return voice;
}

test('what was written is read, through JSON', () => {
  const record = recordVoice(map({ 1: 2, 2: 0 }), all);
  expect(record).toMatchObject({ version: 1 });
  expect(readVoiceRecord(JSON.parse(JSON.stringify(record)))).toEqual([
    { guildId: '1', members: [member('0'), member('1')], channels: [{ channelId: '10', name: 'Table 1' }] },
    { guildId: '2', members: [], channels: [{ channelId: '10', name: 'Table 1' }] },
  ]);
});

test('only guilds that are known as a whole, and of this shard', () => {
  const voice = map({ 1: 1, 2: 1 });
  voice.setPresence('3', member('7'));
  expect(recordVoice(voice, (guildId) => guildId !== '2').guilds.map(({ guildId }) => guildId)).toEqual(['1']);
});

test('a record is bounded: a guild that does not fit is left out as a whole', () => {
  const record = recordVoice(map({ 1: MAX_RECORD_ENTRIES, 2: 5, 3: MAX_RECORD_ENTRIES - 7 }), all);
  expect(record.guilds.map(({ guildId, members }) => [guildId, members.length])).toEqual([
    ['2', 5],
    ['3', MAX_RECORD_ENTRIES - 7],
  ]);
  const tooMuch = { version: 1, guilds: [...record.guilds, ...record.guilds] };
  expect(readVoiceRecord(tooMuch)).toHaveLength(2);
});

test('a record is a copy: what happens later is not in it', () => {
  const voice = map({ 1: 1 });
  const record = recordVoice(voice, all);
  voice.setPresence('1', { ...member('0'), channelId: null });
  expect(record.guilds[0]?.members).toHaveLength(1);
});

test.each([
  ['nothing', undefined],
  ['text', 'voice'],
  ['a list', []],
  ['a later version', { version: 2, guilds: [{ guildId: '1', members: [], channels: [] }] }],
  ['no guilds', { version: 1 }],
  ['a guild without id', { version: 1, guilds: [{ members: [], channels: [] }] }],
  ['a guild without members', { version: 1, guilds: [{ guildId: '1', channels: [] }] }],
  ['a member that is none', { version: 1, guilds: [{ guildId: '1', members: [null], channels: [] }] }],
  [
    'a member whose flag is a text',
    { version: 1, guilds: [{ guildId: '1', members: [{ ...member('1'), mute: 'no' }], channels: [] }] },
  ],
  [
    'a member whose avatar is a number',
    { version: 1, guilds: [{ guildId: '1', members: [{ ...member('1'), avatar: 1 }], channels: [] }] },
  ],
  ['a channel without a name', { version: 1, guilds: [{ guildId: '1', members: [], channels: [{ channelId: '1' }] }] }],
])('%s is no record', (_what, value) => {
  expect(readVoiceRecord(value)).toEqual([]);
});

test('what is read holds nothing but what it should', () => {
  const members = [{ ...member('1'), extra: 'x', __proto__: { evil: true } }];
  const [guild] = readVoiceRecord({ version: 1, guilds: [{ guildId: '1', members, channels: [], more: 1 }], x: 1 });
  expect(guild).toEqual({ guildId: '1', members: [member('1')], channels: [] });
  expect(Object.keys(guild?.members[0] ?? {})).not.toContain('extra');
});
