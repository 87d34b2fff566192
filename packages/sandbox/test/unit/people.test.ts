import { createSandbox, SandboxError } from '@guildkit/sandbox';
import { expect, test } from 'vitest';
import { RawClient } from '../support/gateway-client.js';

const withCode = (code: string) => (error: unknown) => SandboxError.is(error) && error.code === code;

test('a person reads like a story', async () => {
  await using sandbox = await createSandbox();
  const lounge = await sandbox.channels.create({ name: 'Lounge' });
  const anna = await sandbox.people.create({ name: 'anna' });
  expect([anna.name, anna.channelId]).toEqual(['anna', null]);
  await anna.joinVoice(sandbox.voiceChannelId);
  expect(anna.channelId).toBe(sandbox.voiceChannelId);
  await anna.moveTo(lounge.id);
  expect(anna.channelId).toBe(lounge.id);
  await anna.leaveVoice();
  await anna.leaveVoice();
  expect(anna.channelId).toBeNull();
  expect(sandbox.people.get(anna.id)).toBe(anna);
  expect(sandbox.people.list()).toEqual([anna]);
});

test('one change is one dispatch, and no change is none', async () => {
  await using sandbox = await createSandbox();
  const client = await RawClient.identified(sandbox);
  const anna = await sandbox.people.create({ name: 'anna', avatar: 'b'.repeat(32), nick: 'Annie' });
  await anna.leaveVoice();
  await anna.joinVoice(sandbox.voiceChannelId);
  await anna.joinVoice(sandbox.voiceChannelId);
  await anna.setDeaf(true);
  await client.settled();
  const states = client.frames.filter(({ t }) => t === 'VOICE_STATE_UPDATE').map(({ d }) => d);
  expect(states).toHaveLength(2);
  expect(states[0]).toMatchObject({
    guild_id: sandbox.guildId,
    user_id: anna.id,
    session_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    member: { nick: 'Annie', user: { username: 'anna', global_name: 'anna', avatar: 'b'.repeat(32), bot: false } },
  });
  expect(states[1]).toMatchObject({ self_deaf: true, session_id: states[0].session_id });
});

test('who leaves the guild leaves voice first', async () => {
  await using sandbox = await createSandbox();
  const client = await RawClient.identified(sandbox, { intents: 1 | 2 | 128 });
  const anna = await sandbox.people.create({ name: 'anna' });
  await anna.joinVoice(sandbox.voiceChannelId);
  await anna.leaveGuild();
  await anna.leaveGuild();
  await client.settled();
  const after = client.frames.slice(client.frames.findIndex(({ t }) => t === 'GUILD_MEMBER_ADD'));
  expect(after.flatMap(({ t, d }) => (t === null ? [] : [[t, d.channel_id]]))).toEqual([
    ['GUILD_MEMBER_ADD', undefined],
    ['VOICE_STATE_UPDATE', sandbox.voiceChannelId],
    ['VOICE_STATE_UPDATE', null],
    ['GUILD_MEMBER_REMOVE', undefined],
  ]);
  expect(sandbox.people.list()).toEqual([]);
  expect(() => sandbox.people.get(anna.id)).toThrow(SandboxError);
  await expect(anna.joinVoice(sandbox.voiceChannelId)).rejects.toSatisfy(withCode('ERR_SANDBOX_PERSON_UNKNOWN'));
});

test('what cannot be is refused, and changes nothing', async () => {
  await using sandbox = await createSandbox();
  const anna = await sandbox.people.create({ name: 'anna' });
  await expect(anna.joinVoice('1')).rejects.toSatisfy(withCode('ERR_SANDBOX_CHANNEL_UNKNOWN'));
  await expect(anna.joinVoice(sandbox.textChannelId)).rejects.toSatisfy(withCode('ERR_SANDBOX_CHANNEL_NOT_VOICE'));
  await expect(anna.moveTo(sandbox.voiceChannelId)).rejects.toSatisfy(withCode('ERR_SANDBOX_PERSON_NOT_CONNECTED'));
  await expect(anna.setMute(true)).rejects.toSatisfy(withCode('ERR_SANDBOX_PERSON_NOT_CONNECTED'));
  await expect(sandbox.people.create({ name: '' })).rejects.toThrow(TypeError);
  await expect(sandbox.channels.create({ name: '' })).rejects.toThrow(TypeError);
  await expect(sandbox.channels.delete('1')).rejects.toSatisfy(withCode('ERR_SANDBOX_CHANNEL_UNKNOWN'));
  await expect(sandbox.bots.create({ privilegedIntents: ['Guilds' as never] })).rejects.toThrow(TypeError);
  expect(anna.channelId).toBeNull();
});

test('a limit holds people back and lets bots in', async () => {
  await using sandbox = await createSandbox();
  const { id } = await sandbox.channels.create({ name: 'one seat', userLimit: 1 });
  const anna = await sandbox.people.create({ name: 'anna' });
  const bela = await sandbox.people.create({ name: 'bela' });
  await anna.joinVoice(id);
  await expect(bela.joinVoice(id)).rejects.toSatisfy(withCode('ERR_SANDBOX_CHANNEL_FULL'));
  const client = await RawClient.identified(sandbox);
  client.send({ op: 4, d: { guild_id: sandbox.guildId, channel_id: id, self_mute: false, self_deaf: false } });
  await client.dispatch('VOICE_SERVER_UPDATE');
  await anna.leaveVoice();
  await expect(bela.joinVoice(id)).rejects.toSatisfy(withCode('ERR_SANDBOX_CHANNEL_FULL'));
});
