import { describe, expect, test } from 'vitest';
import { afterEvent, type ShownMessage, withHistory } from '../../src/room/chat-log.js';
import { createChat } from '../../src/server/chat.js';
import { createPeople } from '../../src/server/people.js';

const BOT = '1';
const MIA = { userId: '42', username: 'Mia', avatar: null };

function setup() {
  const people = createPeople();
  people.remember(MIA);
  return createChat(people, () => BOT);
}

const said = (content: string, userId = BOT, messageId = '100') =>
  ({
    event: 'message.created',
    payload: { guildId: '7', channelId: '8', messageId, userId, username: 'bot', avatar: null, content, timestamp: 1 },
    traceId: 't',
  }) as never;

describe('whose words a message is', () => {
  test('what the bot says for a player is the player’s', () => {
    const chat = setup();
    const text = chat.outgoing(MIA.userId, 'Hello <@1> there\nall');
    expect(chat.incoming(said(text)).payload).toMatchObject({ ...MIA, content: 'Hello <@1> there\nall' });
    expect(chat.isBy('42', '100')).toBe(true);
    expect(chat.isBy('43', '100')).toBe(false);
    expect(chat.isBy('42', '999')).toBeUndefined();
  });

  test('a person in Discord cannot speak for another', () => {
    const chat = setup();
    const event = said('<@42> I give up', '666');
    expect(chat.incoming(event).payload).toMatchObject({ userId: '666', content: '<@42> I give up' });
    expect(chat.isBy('42', '100')).toBe(false);
  });

  test('the bot’s own words stay its own', () => {
    expect(setup().incoming(said('Welcome')).payload).toMatchObject({ userId: BOT, content: 'Welcome' });
  });

  test('typing and reactions are those of who asked for them', () => {
    const chat = setup();
    chat.expect('typing', '8', '42');
    chat.expect('reaction', '100 🎉', '42');
    const typing = { event: 'typing.started', payload: { guildId: '7', channelId: '8', userId: BOT, timestamp: 1 } };
    expect(chat.incoming(typing as never).payload).toMatchObject({ userId: '42' });
    const reaction = {
      event: 'reaction.added',
      payload: { guildId: '7', channelId: '8', messageId: '100', userId: BOT, emoji: '🎉' },
    };
    expect(chat.incoming(reaction as never).payload).toMatchObject({ userId: '42' });
  });

  test('what was said before is read the same way', () => {
    const author = { id: BOT, username: 'bot', avatar: null };
    const timestamp = '2026-01-01T00:00:00.000Z';
    const reactions = [{ count: 2, emoji: { id: null, name: '🎉' } }];
    expect(setup().fromApi({ id: '5', content: '<@42> hi', timestamp, author, reactions })).toEqual({
      messageId: '5',
      ...MIA,
      content: 'hi',
      timestamp: Date.parse(timestamp),
      reactions: [{ emoji: '🎉', count: 2 }],
    });
  });
});

describe('the messages of a page', () => {
  const message = (messageId: string, content = 'x'): ShownMessage => ({
    messageId,
    ...MIA,
    content,
    timestamp: 1,
    reactions: [],
  });
  const event = (name: string, payload: object) =>
    ({ event: name, payload: { ...MIA, timestamp: 1, ...payload } }) as never;

  test('follow what happens, each thing once', () => {
    let log: readonly ShownMessage[] = [message('9')];
    log = afterEvent(log, event('message.created', { messageId: '10', content: 'a' }));
    log = afterEvent(log, event('message.created', { messageId: '10', content: 'a' }));
    log = afterEvent(log, event('message.updated', { messageId: '10', content: 'b' }));
    log = afterEvent(log, event('reaction.added', { messageId: '10', emoji: '👍' }));
    log = afterEvent(log, event('reaction.added', { messageId: '10', emoji: '👍' }));
    log = afterEvent(log, event('reaction.removed', { messageId: '10', emoji: '👍' }));
    log = afterEvent(log, event('reaction.removed', { messageId: '10', emoji: '🎲' }));
    expect(log).toEqual([
      message('9'),
      { ...message('10', 'b'), isEdited: true, reactions: [{ emoji: '👍', count: 1 }] },
    ]);
    expect(afterEvent(log, event('message.deleted', { messageId: '9' }))).toHaveLength(1);
    expect(afterEvent(log, event('voice.joined', {}))).toBe(log);
  });

  test('begin with what was said before; what came since is newer', () => {
    const log = [message('10', 'edited')];
    const history = [message('8'), message('9'), message('10', 'as loaded')];
    expect(withHistory(log, history).map(({ messageId, content }) => `${messageId} ${content}`)).toEqual([
      '8 x',
      '9 x',
      '10 edited',
    ]);
  });
});
