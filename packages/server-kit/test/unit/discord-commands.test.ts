/** The commands of a game room: what each asks of Discord, and what never reaches it. */
import { CommandBus, createDiscordCommands, type IncomingCommand } from '@guildkit/server-kit/commands';
import { expect, it } from 'vitest';

const ALL = ['chat:write', 'voice:join', 'voice:moderate'];
const from = (name: string, input: unknown, roles = ALL): IncomingCommand => ({
  principal: { userId: '7', roles, expiresAt: Number.POSITIVE_INFINITY },
  name,
  input,
  requestId: `${Math.random()}`,
  sentAt: 1,
  traceId: 't',
});

function restStub() {
  const calls: unknown[][] = [];
  const note =
    (name: string, result?: unknown) =>
    async (...args: unknown[]) => {
      const options = args.pop() as { signal?: AbortSignal; reason?: string };
      calls.push([name, ...args, ...(options.reason === undefined ? [] : [options.reason])]);
      expect(options.signal).toBeInstanceOf(AbortSignal);
      return result as never;
    };
  const rest = {
    sendMessage: note('sendMessage', { id: '99' }),
    editMessage: note('editMessage'),
    deleteMessage: note('deleteMessage'),
    createReaction: note('createReaction'),
    triggerTypingIndicator: note('triggerTypingIndicator'),
    moveMember: note('moveMember'),
    modifyGuildMember: note('modifyGuildMember'),
    disconnectMember: note('disconnectMember'),
  };
  return { rest, calls };
}

it('each does its one thing over REST, in the user’s name', async () => {
  const { rest, calls } = restStub();
  const bus = new CommandBus({
    userBucket: false,
    commands: createDiscordCommands({
      rest,
      allow: () => true,
      keepRoomOpen: ({ channelId }) => ({ kept: channelId }),
    }),
  });
  const results = [];
  for (const [name, input] of Object.entries({
    sendMessage: { channelId: '1', content: 'hi\u0000\u202e\nthere', replyTo: '5' },
    editMessage: { channelId: '1', messageId: '2', content: 'x' },
    deleteMessage: { channelId: '1', messageId: '2' },
    addReaction: { channelId: '1', messageId: '2', emoji: '🎲' },
    typingStart: { channelId: '1' },
    rejoinVoice: { channelId: '3' },
    moveMember: { userId: '8', channelId: '3' },
    muteMember: { userId: '8', mute: true },
    disconnectMember: { userId: '8' },
    keepRoomOpen: { channelId: '3' },
  })) {
    const answer = await bus.handle(from(name, input));
    results.push(answer.ok ? answer.result : answer.error);
  }
  expect(results).toEqual([{ messageId: '99' }, ...Array(8).fill(null), { kept: '3' }]);
  const reason = 'asked by 7';
  expect(calls).toEqual([
    ['sendMessage', '1', { content: 'hi\nthere', replyTo: '5' }],
    ['editMessage', '1', '2', { content: 'x' }],
    ['deleteMessage', '1', '2', reason],
    ['createReaction', '1', '2', '🎲'],
    ['triggerTypingIndicator', '1'],
    ['moveMember', { userId: '7', channelId: '3' }, reason],
    ['moveMember', { userId: '8', channelId: '3' }, reason],
    ['modifyGuildMember', { userId: '8', mute: true }, reason],
    ['disconnectMember', { userId: '8' }, reason],
  ]);
  expect(await bus.handle(from('ackDropout', { channelId: '1' }))).toMatchObject({ error: { status: 404 } });
});

it('nothing that is malformed, without a role or not allowed reaches Discord', async () => {
  const { rest, calls } = restStub();
  const bus = new CommandBus({
    commands: createDiscordCommands({
      rest,
      allow: (name, { channelId }, { principal }) =>
        name !== 'moveMember' && channelId === '1' && principal.userId === '7',
    }),
  });
  const cases: [IncomingCommand, number][] = [
    [from('sendMessage', { channelId: '1/../2', content: 'x' }), 400],
    [from('sendMessage', { channelId: '1', content: '' }), 400],
    [from('sendMessage', { channelId: '1', content: '\u0000\u202e ' }), 400],
    [from('sendMessage', { channelId: '1', content: 'x'.repeat(2_001) }), 400],
    [from('addReaction', { channelId: '1', messageId: '2', emoji: '../@me?' }), 400],
    [from('muteMember', { userId: '8', mute: 'yes' }), 400],
    [from('sendMessage', { channelId: '1', content: 'x' }, []), 403],
    [from('disconnectMember', { userId: '8' }, ['chat:write']), 403],
    [from('sendMessage', { channelId: '2', content: 'x' }), 403],
    [from('moveMember', { userId: '8', channelId: '1' }), 403],
  ];
  for (const [command, status] of cases)
    expect(await bus.handle(command)).toMatchObject({ ok: false, error: { status } });
  expect(calls).toEqual([]);
  expect(() => createDiscordCommands({ rest } as never)).toThrow('allow');
});

it('without REST they go to the link, those of the app aside', () => {
  const names = Object.keys(createDiscordCommands({ allow: () => true, ackDropout: () => 1 }));
  expect(names).toContain('sendMessage');
  expect(names).toContain('ackDropout');
  expect(names).not.toContain('keepRoomOpen');
});
