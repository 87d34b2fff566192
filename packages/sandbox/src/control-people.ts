/** Owns the control routes about people: everything that a person can do, over HTTP. */
import { PermissionFlagsBits } from 'discord-api-types/v10';
import * as z from 'zod';
import { type ControlContext, type ControlRoute, read } from './control-route.js';
import type { Person } from './people.js';
import type { PermissionName } from './protocol/world/permissions.js';
import type { Playback } from './voice/playback.js';

const id = z.string().min(1).max(20);
const personBody = z.object({
  name: z.string().min(1).max(32),
  avatar: z.string().max(64).nullish(),
  nick: z.string().max(32).nullish(),
  member: z.boolean().optional(),
  permissions: z
    .array(
      z.custom<PermissionName>((name) => typeof name === 'string' && Object.hasOwn(PermissionFlagsBits, name), {
        error: 'must be a permission, such as MoveMembers',
      }),
    )
    .max(64)
    .optional(),
});
const joinBody = z.object({ invite: z.string().min(1).max(20).optional() });
const channelBody = z.object({ channelId: id });
const voiceBody = z.object({
  mute: z.boolean().optional(),
  deaf: z.boolean().optional(),
  video: z.boolean().optional(),
});
const presenceBody = z.object({
  status: z.enum(['online', 'idle', 'dnd', 'offline']),
  activity: z.string().max(128).optional(),
});
const dmBody = z.object({ botId: id });
const onBody = z.object({ on: z.boolean().default(true) });
const sendBody = z.object({ channelId: id, content: z.string().max(4000), replyTo: id.optional() });
const messageBody = z.object({ channelId: id, messageId: id });
const editBody = messageBody.extend({ content: z.string().max(4000) });
const reactBody = messageBody.extend({ emoji: z.string().min(1).max(64), remove: z.boolean().optional() });
const moderateBody = z.object({
  personId: id,
  act: z.enum(['disconnect', 'move', 'mute', 'unmute', 'deafen', 'undeafen', 'kick']),
  channelId: id.optional(),
});

/** Every control route about people. `owner` may stand for a person's id. */
export const PEOPLE_ROUTES: readonly ControlRoute[] = [
  {
    method: 'GET',
    path: '/people',
    summary: 'All people',
    handle: async ({ people }) => people.list().map(show),
  },
  {
    method: 'POST',
    path: '/people',
    summary: 'Create a person: `{ name, avatar?, nick?, member?, permissions? }`',
    handle: async ({ people }, _params, body) => show(await people.create(read(personBody, body))),
  },
  {
    method: 'POST',
    path: '/people/:person/join',
    summary: 'Join a voice channel: `{ channelId }`',
    handle: act((person, body) => person.joinVoice(read(channelBody, body).channelId)),
  },
  {
    method: 'POST',
    path: '/people/:person/leave',
    summary: 'Leave voice',
    handle: act((person) => person.leaveVoice()),
  },
  {
    method: 'POST',
    path: '/people/:person/move',
    summary: 'Go to another voice channel: `{ channelId }`',
    handle: act((person, body) => person.moveTo(read(channelBody, body).channelId)),
  },
  {
    method: 'POST',
    path: '/people/:person/voice',
    summary: 'Change how they are in voice: `{ mute?, deaf?, video? }`',
    handle: act(async (person, body) => {
      const { mute, deaf, video } = read(voiceBody, body);
      if (mute !== undefined) await person.setMute(mute);
      if (deaf !== undefined) await person.setDeaf(deaf);
      if (video !== undefined) await person.setVideo(video);
    }),
  },
  {
    method: 'POST',
    path: '/people/:person/speak',
    summary: 'Speak in voice, a tone, or stop: `{ on? }`',
    handle: act(async (person, body) => {
      if (read(onBody, body).on) await person.speak();
      else await ended(person.speaking);
    }),
  },
  {
    method: 'POST',
    path: '/people/:person/show',
    summary: 'Show video in voice, a test picture, or stop: `{ on? }`',
    handle: act(async (person, body) => {
      if (read(onBody, body).on) await person.showVideo();
      else await ended(person.showing);
    }),
  },
  {
    method: 'POST',
    path: '/people/:person/presence',
    summary: 'Appear otherwise: `{ status, activity? }`',
    handle: act((person, body) => {
      const { status, activity } = read(presenceBody, body);
      return person.setPresence(status, activity);
    }),
  },
  {
    method: 'POST',
    path: '/people/:person/guild/join',
    summary: 'Join the guild: `{ invite? }`',
    handle: act((person, body) => person.joinGuild(read(joinBody, body).invite)),
  },
  {
    method: 'POST',
    path: '/people/:person/guild/leave',
    summary: 'Leave the guild',
    handle: act((person) => person.leaveGuild()),
  },
  {
    method: 'POST',
    path: '/people/:person/send',
    summary: 'Send a message: `{ channelId, content, replyTo? }`',
    handle: answering((person, body) => {
      const { channelId, content, replyTo } = read(sendBody, body);
      return person.send(channelId, { content, replyTo });
    }),
  },
  {
    method: 'POST',
    path: '/people/:person/edit',
    summary: 'Edit a message: `{ channelId, messageId, content }`',
    handle: answering((person, body) => {
      const { channelId, messageId, content } = read(editBody, body);
      return person.edit(channelId, messageId, content);
    }),
  },
  {
    method: 'POST',
    path: '/people/:person/delete',
    summary: 'Delete a message: `{ channelId, messageId }`',
    handle: act((person, body) => {
      const { channelId, messageId } = read(messageBody, body);
      return person.delete(channelId, messageId);
    }),
  },
  {
    method: 'POST',
    path: '/people/:person/react',
    summary: 'React, or take it back: `{ channelId, messageId, emoji, remove? }`',
    handle: act((person, body) => {
      const { channelId, messageId, emoji, remove } = read(reactBody, body);
      return remove === true ? person.unreact(channelId, messageId, emoji) : person.react(channelId, messageId, emoji);
    }),
  },
  {
    method: 'POST',
    path: '/people/:person/type',
    summary: 'Begin to type: `{ channelId }`',
    handle: act((person, body) => person.type(read(channelBody, body).channelId)),
  },
  {
    method: 'POST',
    path: '/people/:person/dm',
    summary: 'Open the conversation with a bot: `{ botId }`',
    handle: answering(async (person, body) => ({ channelId: await person.openDm(read(dmBody, body).botId) })),
  },
  {
    method: 'POST',
    path: '/people/:person/moderate',
    summary:
      'Act on someone else: `{ personId, act, channelId? }`, act being `disconnect`, `move`, `mute`, `unmute`, `deafen`, `undeafen` or `kick`',
    handle: act((person, body) => {
      const { personId, act: what, channelId } = read(moderateBody, body);
      switch (what) {
        case 'disconnect':
          return person.disconnect(personId);
        case 'move':
          return person.move(personId, channelId ?? '');
        case 'mute':
        case 'unmute':
          return person.mute(personId, what === 'mute');
        case 'deafen':
        case 'undeafen':
          return person.deafen(personId, what === 'deafen');
        case 'kick':
          return person.kick(personId);
      }
    }),
  },
];

type Handler<Answer> = (
  context: ControlContext,
  params: Readonly<Record<string, string>>,
  body: unknown,
) => Promise<Answer>;

function answering<Answer>(action: (person: Person, body: unknown) => Promise<Answer>): Handler<Answer> {
  return async ({ people }, { person = '' }, body) =>
    action(person === 'owner' ? people.owner : people.get(person), body);
}

/** For what has no answer of its own: the person, afterwards. */
function act(action: (person: Person, body: unknown) => Promise<void>): Handler<unknown> {
  return answering(async (person, body) => {
    await action(person, body);
    return show(person);
  });
}

async function ended(playback: Playback | undefined): Promise<void> {
  playback?.stop();
  await playback?.finished;
}

const show = ({ id: personId, name, channelId, voice, speaking, showing, status, isMember, roles }: Person) => ({
  id: personId,
  name,
  channelId,
  voice,
  speaking: speaking !== undefined,
  showing: showing !== undefined,
  status,
  isMember,
  roles,
});
