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
    ['VOICE_CHANNEL_START_TIME_UPDATE', undefined],
    ['VOICE_STATE_UPDATE', null],
    ['VOICE_CHANNEL_START_TIME_UPDATE', undefined],
    ['GUILD_MEMBER_REMOVE', undefined],
  ]);
  expect([anna.isMember, anna.channelId]).toEqual([false, null]);
  expect(() => sandbox.people.get('1')).toThrow(SandboxError);
  await expect(anna.joinVoice(sandbox.voiceChannelId)).rejects.toSatisfy(withCode('ERR_SANDBOX_PERSON_NOT_MEMBER'));
  await anna.joinGuild();
  await anna.joinVoice(sandbox.voiceChannelId);
  expect(sandbox.people.list()).toEqual([anna]);
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

test('people write, react and answer', async () => {
  await using sandbox = await createSandbox();
  const [anna, bela] = await Promise.all(['anna', 'bela'].map((name) => sandbox.people.create({ name })));
  if (anna === undefined || bela === undefined) throw new Error('no people');
  const channel = sandbox.textChannelId;
  const first = await anna.send(channel, 'hello');
  await bela.react(channel, first.id, '👍');
  await anna.react(channel, first.id, '👍');
  await anna.unreact(channel, first.id, '👍');
  const second = await bela.send(channel, { content: 'hi', replyTo: first.id });
  await anna.edit(channel, first.id, 'hello!');
  expect(sandbox.channels.messages(channel)).toMatchObject([
    { authorName: 'anna', content: 'hello!', reactions: [{ emoji: '👍', userIds: [bela.id] }] },
    { authorName: 'bela', content: 'hi', replyToId: first.id },
  ]);
  await expect(anna.edit(channel, second.id, 'x')).rejects.toSatisfy(withCode('ERR_SANDBOX_PERMISSION_MISSING'));
  await expect(anna.delete(channel, second.id)).rejects.toSatisfy(withCode('ERR_SANDBOX_PERMISSION_MISSING'));
  await expect(anna.delete(channel, '1')).rejects.toSatisfy(withCode('ERR_SANDBOX_MESSAGE_UNKNOWN'));
  await expect(anna.send(channel, ' ')).rejects.toSatisfy(withCode('ERR_SANDBOX_MESSAGE_INVALID'));
  await expect(anna.react(channel, first.id, 'x')).rejects.toSatisfy(withCode('ERR_SANDBOX_MESSAGE_INVALID'));
  const { id } = await sandbox.channels.create({ name: 'c', kind: 'category' });
  await expect(anna.send(id, 'x')).rejects.toSatisfy(withCode('ERR_SANDBOX_CHANNEL_NOT_TEXT'));
  await anna.delete(channel, first.id);
  await sandbox.people.owner.delete(channel, second.id);
  expect(sandbox.channels.messages(channel)).toEqual([]);
});

test('moderators move, mute and disconnect others, and nobody else does', async () => {
  await using sandbox = await createSandbox();
  const client = await RawClient.identified(sandbox, { intents: 1 | 2 | 128 });
  const anna = await sandbox.people.create({ name: 'anna' });
  const mod = await sandbox.people.create({
    name: 'mod',
    permissions: ['MoveMembers', 'MuteMembers', 'DeafenMembers', 'KickMembers'],
  });
  const lounge = await sandbox.channels.create({ name: 'Lounge', userLimit: 1 });
  await mod.joinVoice(lounge.id);
  await expect(mod.mute(anna.id)).rejects.toSatisfy(withCode('ERR_SANDBOX_PERSON_NOT_CONNECTED'));
  await anna.joinVoice(sandbox.voiceChannelId);
  await mod.move(anna.id, lounge.id);
  await mod.mute(anna.id);
  await mod.deafen(anna.id);
  await mod.mute(anna.id, false);
  await mod.disconnect(anna.id);
  await client.settled();
  const states = client.frames.flatMap(({ t, d }) =>
    t === 'VOICE_STATE_UPDATE' && d.user_id === anna.id ? [[d.channel_id, d.mute, d.deaf]] : [],
  );
  expect(states).toEqual([
    [sandbox.voiceChannelId, false, false],
    [lounge.id, false, false],
    [lounge.id, true, false],
    [lounge.id, true, true],
    [lounge.id, false, true],
    [null, false, true],
  ]);
  for (const act of [anna.disconnect, anna.mute, anna.deafen, anna.kick]) {
    await expect(act.call(anna, mod.id)).rejects.toSatisfy(withCode('ERR_SANDBOX_PERMISSION_MISSING'));
  }
  await expect(mod.kick(sandbox.people.owner.id)).rejects.toSatisfy(withCode('ERR_SANDBOX_PERMISSION_MISSING'));
  await expect(mod.kick('1')).rejects.toSatisfy(withCode('ERR_SANDBOX_PERSON_UNKNOWN'));
  await mod.kick(anna.id);
  expect(anna.isMember).toBe(false);
});

test('a conversation with a bot is seen by that bot alone', async () => {
  await using sandbox = await createSandbox({ rateLimits: false });
  const other = await sandbox.bots.create();
  const clients = await Promise.all([
    RawClient.identified(sandbox, { intents: 1 | 4096 }),
    RawClient.identified(sandbox, { intents: 1 | 4096, token: other.token }),
    RawClient.identified(sandbox, { intents: 1 | 512 }),
  ]);
  const anna = await sandbox.people.create({ name: 'anna', member: false });
  const dm = await anna.openDm(other.id);
  expect(await anna.openDm(other.id)).toBe(dm);
  await anna.send(dm, 'psst');
  await Promise.all(clients.map((client) => client.settled()));
  const seen = clients.map(({ frames }) => frames.flatMap(({ t, d }) => (t === 'MESSAGE_CREATE' ? [d.content] : [])));
  expect(seen).toEqual([[], ['psst'], []]);
  const bela = await sandbox.people.create({ name: 'bela' });
  await expect(bela.send(dm, 'x')).rejects.toSatisfy(withCode('ERR_SANDBOX_CHANNEL_UNKNOWN'));
});
