/** Owns the simulated people: what a test or a demo makes them do. */
import { PermissionFlagsBits } from 'discord-api-types/v10';
import type { MessageInput, SandboxMessage } from './messages.js';
import { type PeopleContext, type PersonStatus, SimulatedPerson, unknownPerson } from './person.js';
import { addMember } from './protocol/world/members.js';
import { bitsOf, type PermissionName } from './protocol/world/permissions.js';
import { createRole } from './protocol/world/roles.js';
import { addUser } from './protocol/world/world.js';
import type { FrameSource, Playback } from './voice/playback.js';

/** Settings of a new person. */
export interface PersonOptions {
  /** User name and display name. */
  readonly name: string;
  /** Avatar hash, `null` for the default avatar. */
  readonly avatar?: string | null | undefined;
  /** Nickname in the guild. */
  readonly nick?: string | null | undefined;
  /** Whether they are in the guild; those who are not can log in and be added. @defaultValue `true` */
  readonly member?: boolean | undefined;
  /** Role ids. */
  readonly roles?: readonly string[] | undefined;
  /** Gives them a role of their own with these permissions, such as `['MoveMembers', 'MuteMembers']` for a moderator. */
  readonly permissions?: readonly PermissionName[] | undefined;
}

/**
 * A simulated person. Every promise resolves once the dispatches are on their way. What Discord would not let them do
 * rejects with a SandboxError: `ERR_SANDBOX_PERMISSION_MISSING`, `ERR_SANDBOX_PERSON_NOT_MEMBER` outside of the guild,
 * `ERR_SANDBOX_CHANNEL_UNKNOWN`, `ERR_SANDBOX_MESSAGE_UNKNOWN` and the ones named below.
 */
export interface Person {
  /** Their user id. */
  readonly id: string;
  /** Their user name and display name. */
  readonly name: string;
  /** The voice channel they are in, `null` outside of voice. */
  readonly channelId: string | null;
  /** What they chose in voice, `null` outside of voice. */
  readonly voice: { readonly mute: boolean; readonly deaf: boolean; readonly video: boolean } | null;
  /** What they say now. */
  readonly speaking: Playback | undefined;
  /** What they show now. */
  readonly showing: Playback | undefined;
  /** How they appear. */
  readonly status: PersonStatus;
  /** Whether they are in the guild. */
  readonly isMember: boolean;
  /** Ids of their roles. */
  readonly roles: readonly string[];
  /**
   * Connects to a voice channel; from another one this is a move.
   *
   * @throws SandboxError `ERR_SANDBOX_CHANNEL_UNKNOWN`, `_NOT_VOICE`, `_FULL`, `ERR_SANDBOX_PERMISSION_MISSING`.
   */
  joinVoice(channelId: string): Promise<void>;
  /** Disconnects; nothing when not in voice. */
  leaveVoice(): Promise<void>;
  /**
   * Goes to another voice channel.
   *
   * @throws SandboxError as `joinVoice`, and `ERR_SANDBOX_PERSON_NOT_CONNECTED` outside of voice.
   */
  moveTo(channelId: string): Promise<void>;
  /** Mutes or unmutes their own microphone. @throws SandboxError `ERR_SANDBOX_PERSON_NOT_CONNECTED`. */
  setMute(muted: boolean): Promise<void>;
  /** Deafens or undeafens themselves. @throws SandboxError `ERR_SANDBOX_PERSON_NOT_CONNECTED`. */
  setDeaf(deafened: boolean): Promise<void>;
  /** Switches their camera. @throws SandboxError `ERR_SANDBOX_PERSON_NOT_CONNECTED`. */
  setVideo(on: boolean): Promise<void>;
  /**
   * Speaks in their voice channel, until the packets end, they leave or move, or they speak again. Where DAVE is on they
   * are a member of its group from then on.
   *
   * @param packets Opus packets of 20 ms. Left out: a tone that goes on until it is stopped.
   * @throws SandboxError `ERR_SANDBOX_PERSON_NOT_CONNECTED`; `ERR_SANDBOX_DAVE_UNAVAILABLE` without `@snazzah/davey`.
   */
  speak(packets?: FrameSource): Promise<Playback>;
  /**
   * Shows video in their voice channel, with their camera on, until the frames end, they leave or move, or they show
   * something else. What was lost is sent again when it is asked for, and a keyframe is.
   *
   * @param frames VP8 frames, the first one a keyframe. Left out: a test picture, 320×180, that goes on until it is stopped.
   * @param fps Frames a second. @defaultValue `15`
   * @throws SandboxError as `speak`.
   */
  showVideo(frames?: readonly Uint8Array[], fps?: number): Promise<Playback>;
  /**
   * Appears online or otherwise: PRESENCE_UPDATE for bots with the intent. A new person is offline.
   *
   * @param activity What they are doing: shown as playing it.
   * @throws TypeError for another status.
   */
  setPresence(status: PersonStatus, activity?: string): Promise<void>;
  /**
   * Joins the guild; nothing when in it.
   *
   * @param inviteCode Counts as a use of that invite, which must hold.
   * @throws SandboxError `ERR_SANDBOX_INVITE_UNKNOWN`.
   */
  joinGuild(inviteCode?: string): Promise<void>;
  /** Leaves the guild, and voice with it; nothing when not in it. The account stays. */
  leaveGuild(): Promise<void>;
  /** Sends a message. @throws SandboxError `ERR_SANDBOX_MESSAGE_INVALID`, `ERR_SANDBOX_CHANNEL_NOT_TEXT`. */
  send(channelId: string, message: string | MessageInput): Promise<SandboxMessage>;
  /** Edits a message of their own. */
  edit(channelId: string, messageId: string, content: string): Promise<SandboxMessage>;
  /** Deletes a message: of their own, or with MANAGE_MESSAGES of anyone. */
  delete(channelId: string, messageId: string): Promise<void>;
  /** Reacts with a Unicode emoji; nothing when they did already. */
  react(channelId: string, messageId: string, emoji: string): Promise<void>;
  /** Takes their reaction back; nothing when there is none. */
  unreact(channelId: string, messageId: string, emoji: string): Promise<void>;
  /** Begins to type. */
  type(channelId: string): Promise<void>;
  /** Opens the conversation with a bot. Resolves to its channel id. */
  openDm(botId: string): Promise<string>;
  /** Disconnects someone from voice, as a moderator with MOVE_MEMBERS. */
  disconnect(personId: string): Promise<void>;
  /** Moves someone to another voice channel, as a moderator with MOVE_MEMBERS who may enter it. */
  move(personId: string, channelId: string): Promise<void>;
  /** Mutes someone for everyone, or not any more, as a moderator with MUTE_MEMBERS. */
  mute(personId: string, muted?: boolean): Promise<void>;
  /** Deafens someone, or not any more, as a moderator with DEAFEN_MEMBERS. */
  deafen(personId: string, deafened?: boolean): Promise<void>;
  /** Removes someone who stands lower from the guild, as a moderator with KICK_MEMBERS. */
  kick(personId: string): Promise<void>;
}

/** All simulated people. */
export interface People {
  /** The guild's owner, who may do everything. Not in {@link People.list}. */
  readonly owner: Person;
  /**
   * Creates a person and makes them a member of the guild.
   *
   * @throws TypeError when the name is not 1 to 32 characters, or a role or permission is unknown.
   */
  create(options: PersonOptions): Promise<Person>;
  /**
   * Finds a person by id.
   *
   * @throws SandboxError `ERR_SANDBOX_PERSON_UNKNOWN`.
   */
  get(personId: string): Person;
  /** Everyone that was created, in that order; those who left the guild too. */
  list(): readonly Person[];
}

/** Creates the people of a sandbox; accounts that a saved world has become people again. */
export function createPeople(context: PeopleContext): People {
  const { world, guild } = context;
  const people = new Map<string, Person>();
  const add = (id: string, name: string): Person => {
    const person = new SimulatedPerson(context, id, name);
    people.set(id, person);
    return person;
  };
  for (const { id, username, bot } of world.users.values()) if (!bot && id !== guild.ownerId) add(id, username);
  const owner = new SimulatedPerson(context, guild.ownerId, world.users.get(guild.ownerId)?.username ?? 'owner');

  return {
    owner,
    async create({ name, avatar, nick, member = true, roles = [], permissions }) {
      if (typeof name !== 'string' || name.length === 0 || name.length > 32) {
        throw new TypeError('people.create: option "name" must be 1 to 32 characters');
      }
      const missing = roles.find((id) => !guild.roles.has(id));
      if (missing !== undefined) throw new TypeError(`people.create: there is no role ${missing}`);
      checkPermissions('people.create', permissions);
      const user = addUser(world, { username: name, globalName: name, avatar: avatar ?? null, bot: false });
      const person = add(user.id, name);
      if (!member) return person;
      const own =
        permissions === undefined
          ? undefined
          : createRole(world, guild, { name, permissions: bitsOf(permissions), position: guild.roles.size });
      const allRoles = own === undefined ? roles : [...roles, own.role.id];
      const joined = addMember(guild, user, {
        joinedAt: context.moment().stamp,
        nick: nick ?? null,
        roles: allRoles,
      });
      context.broadcast([...(own?.events ?? []), ...joined]);
      return person;
    },
    get(personId) {
      const person = personId === owner.id ? owner : people.get(personId);
      if (person === undefined) throw unknownPerson(personId);
      return person;
    },
    list: () => [...people.values()],
  };
}

/** @throws TypeError for a name that is no permission. */
export function checkPermissions(where: string, permissions: readonly PermissionName[] | undefined): void {
  const unknown = permissions?.find((name) => !Object.hasOwn(PermissionFlagsBits, name));
  if (unknown !== undefined) throw new TypeError(`${where}: "${unknown}" is not a permission`);
}
