/** One story that clients from npm run, unmodified: what a bot sees and does in a day. */
import type { Sandbox } from '@guildkit/sandbox';
import { GatewayDispatchEvents, type GatewayDispatchPayload, GatewayIntentBits } from 'discord-api-types/v10';
import { expect, vi } from 'vitest';

/** What the story needs to hear, as bits. */
export const STORY_INTENTS =
  GatewayIntentBits.Guilds |
  GatewayIntentBits.GuildVoiceStates |
  GatewayIntentBits.GuildMessages |
  GatewayIntentBits.GuildMessageReactions |
  GatewayIntentBits.MessageContent;

/** What a client can do, in its own words. */
export interface StoryClient {
  /** Logs in; resolves when the guild is there. */
  connect(): Promise<void>;
  close(): Promise<void>;
  /** What its cache holds. */
  guild(): { name: string; channels: string[] };
  memberNames(): Promise<string[]>;
  /** Newest first. */
  history(channelId: string): Promise<string[]>;
  send(channelId: string, content: string): Promise<string>;
  edit(channelId: string, messageId: string, content: string): Promise<void>;
  delete(channelId: string, messageId: string): Promise<void>;
  react(channelId: string, messageId: string, emoji: string): Promise<void>;
  createVoiceChannel(name: string, userLimit: number): Promise<string>;
  deleteChannel(channelId: string): Promise<void>;
  /** Moves a member to a voice channel, or out of voice. */
  moveMember(userId: string, channelId: string | null): Promise<void>;
  /** What it was told, in order: `message anna: hello`. */
  readonly heard: readonly string[];
  readonly errors: readonly unknown[];
}

/** What a client without a cache of its own hears. */
export function createEar() {
  const heard: string[] = [];
  const channels = new Map<string, string>();
  let name = '';
  let arrived: () => void = () => {};
  const here = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  return {
    heard,
    /** Resolves with GUILD_CREATE. */
    here,
    guild: () => ({ name, channels: [...channels.values()].sort() }),
    hear(payload: GatewayDispatchPayload): void {
      const { t, d } = payload;
      if (t === GatewayDispatchEvents.GuildCreate) {
        name = d.name;
        for (const channel of d.channels) channels.set(channel.id, channel.name);
        arrived();
      } else if (t === GatewayDispatchEvents.ChannelCreate) channels.set(d.id, d.name);
      else if (t === GatewayDispatchEvents.ChannelDelete) channels.delete(d.id);
      else if (t === GatewayDispatchEvents.MessageCreate) heard.push(`message ${d.author.username}: ${d.content}`);
      else if (t === GatewayDispatchEvents.MessageUpdate) heard.push(`edited ${d.content}`);
      else if (t === GatewayDispatchEvents.MessageDelete) heard.push(`deleted ${d.id}`);
      else if (t === GatewayDispatchEvents.MessageReactionAdd) heard.push(`reaction ${d.emoji.name}`);
      else if (t === GatewayDispatchEvents.VoiceStateUpdate) heard.push(`voice ${d.channel_id}`);
    },
  };
}

const SOON = { timeout: 10_000 };

/** Tells the story. */
export async function tellStory(sandbox: Sandbox, client: StoryClient): Promise<void> {
  const { textChannelId: text, voiceChannelId: voice } = sandbox;
  const anna = await sandbox.people.create({ name: 'anna' });
  await anna.send(text, 'before');
  await anna.joinVoice(voice);
  await client.connect();
  const hears = (what: string) => vi.waitFor(() => expect(client.heard).toContain(what), SOON);

  expect(client.guild()).toMatchObject({ name: 'Sandbox', channels: ['General', 'general'] });
  expect((await client.memberNames()).sort()).toEqual(['anna', 'owner', 'sandbox-bot']);
  expect(await client.history(text)).toEqual(['before']);

  const hello = await anna.send(text, 'hello');
  await hears('message anna: hello');
  await client.react(text, hello.id, '👍');
  expect(sandbox.channels.messages(text).at(-1)?.reactions).toMatchObject([
    { emoji: '👍', userIds: [expect.any(String)] },
  ]);
  await anna.react(text, hello.id, '🎲');
  await hears('reaction 🎲');
  await anna.edit(text, hello.id, 'hello again');
  await hears('edited hello again');
  await anna.delete(text, hello.id);
  await hears(`deleted ${hello.id}`);

  const sent = await client.send(text, 'answer');
  await client.edit(text, sent, 'better answer');
  expect(sandbox.channels.messages(text).at(-1)).toMatchObject({ id: sent, content: 'better answer' });
  expect(sandbox.channels.messages(text).at(-1)?.editedTimestamp).not.toBeNull();
  await client.delete(text, sent);
  expect(sandbox.channels.messages(text).map(({ content }) => content)).toEqual(['before']);

  const table = await client.createVoiceChannel('Table 1', 4);
  await client.moveMember(anna.id, table);
  expect(anna.channelId).toBe(table);
  await hears(`voice ${table}`);
  await client.moveMember(anna.id, null);
  await hears('voice null');
  await client.deleteChannel(table);
  expect(sandbox.channels.list().map(({ name }) => name)).toEqual(['general', 'General']);
  await vi.waitFor(() => expect(client.guild().channels).toEqual(['General', 'general']), SOON);

  // Eight messages where five in five seconds are allowed: they wait, and all arrive, in order.
  const burst = Array.from({ length: 8 }, (_, n) => `burst ${n}`);
  await Promise.all(burst.map((content) => client.send(text, content)));
  expect(sandbox.channels.messages(text).map(({ content }) => content)).toEqual(['before', ...burst]);

  // A cut without a closing handshake: what was said meanwhile comes with the replay.
  const { resumes } = sandbox.traffic.counters;
  sandbox.faults.cut();
  await anna.send(text, 'while you were away');
  await vi.waitFor(() => expect(sandbox.traffic.counters.resumes).toBeGreaterThan(resumes), { timeout: 20_000 });
  await hears('message anna: while you were away');
  expect(client.heard.filter((line) => line === 'message anna: while you were away')).toHaveLength(1);

  expect(client.errors).toEqual([]);
  const { identifies, restErrors, internalErrors } = sandbox.traffic.counters;
  expect({ identifies, restErrors, internalErrors }).toEqual({ identifies: 1, restErrors: 0, internalErrors: 0 });
}
