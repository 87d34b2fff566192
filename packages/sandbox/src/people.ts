/** Owns the simulated people: what a test or a demo makes them do. */
import { SandboxError, type SandboxErrorCode } from './errors.js';
import { randomHex } from './protocol/random.js';
import type { WorldEvent } from './protocol/world/events.js';
import { addMember, removeMember } from './protocol/world/members.js';
import type { Guild, VoiceState, World } from './protocol/world/types.js';
import {
  changeVoice,
  enterVoice,
  leaveVoice,
  type VoiceChange,
  type VoiceRefusal,
  voiceRefusal,
} from './protocol/world/voice.js';
import { addUser } from './protocol/world/world.js';

/** Settings of a new person. */
export interface PersonOptions {
  /** User name and display name. */
  readonly name: string;
  /** Avatar hash, `null` for the default avatar. */
  readonly avatar?: string | null | undefined;
  /** Nickname in the guild. */
  readonly nick?: string | null | undefined;
}

/** A simulated person, a member of the sandbox's guild. Every promise resolves once the dispatches are on their way. */
export interface Person {
  /** Their user id. */
  readonly id: string;
  /** Their user name and display name. */
  readonly name: string;
  /** The voice channel they are in, `null` outside of voice. */
  readonly channelId: string | null;
  /**
   * Connects to a voice channel; from another one this is a move.
   *
   * @throws SandboxError `ERR_SANDBOX_CHANNEL_UNKNOWN`, `_NOT_VOICE`, `_FULL`.
   */
  joinVoice(channelId: string): Promise<void>;
  /** Disconnects; nothing when not in voice. */
  leaveVoice(): Promise<void>;
  /**
   * Is moved to another voice channel.
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
  /** Leaves the guild, and voice with it. The person is then unknown to `people`. */
  leaveGuild(): Promise<void>;
}

/** All simulated people. */
export interface People {
  /**
   * Creates a person and makes them a member of the guild.
   *
   * @throws TypeError when the name is not 1 to 32 characters.
   */
  create(options: PersonOptions): Promise<Person>;
  /**
   * Finds a person by id.
   *
   * @throws SandboxError `ERR_SANDBOX_PERSON_UNKNOWN`.
   */
  get(personId: string): Person;
  /** Everyone, in the order of creation. */
  list(): readonly Person[];
}

/** What people need of the sandbox. */
export interface PeopleContext {
  readonly world: World;
  readonly guild: Guild;
  /** Hands on dispatches. @throws SandboxError `ERR_SANDBOX_CLOSED`. */
  broadcast(events: readonly WorldEvent[]): void;
  timestamp(): string;
}

const REFUSALS: Record<VoiceRefusal, { readonly code: SandboxErrorCode; readonly says: string }> = {
  channelUnknown: { code: 'ERR_SANDBOX_CHANNEL_UNKNOWN', says: 'does not exist' },
  channelNotVoice: { code: 'ERR_SANDBOX_CHANNEL_NOT_VOICE', says: 'is not a voice channel' },
  channelFull: { code: 'ERR_SANDBOX_CHANNEL_FULL', says: 'is full' },
};

/** Creates the people of a sandbox. */
export function createPeople(context: PeopleContext): People {
  const people = new Map<string, Person>();
  return {
    async create({ name, avatar = null, nick = null }) {
      if (typeof name !== 'string' || name.length === 0 || name.length > 32) {
        throw new TypeError('people.create: option "name" must be 1 to 32 characters');
      }
      const { world, guild } = context;
      const user = addUser(world, { username: name, globalName: name, avatar: avatar ?? null, bot: false });
      const events = addMember(guild, user, { joinedAt: context.timestamp(), nick: nick ?? null });
      const person = new SimulatedPerson(context, user.id, name, () => people.delete(user.id));
      people.set(user.id, person);
      context.broadcast(events);
      return person;
    },
    get(personId) {
      const person = people.get(personId);
      if (person === undefined) throw new SandboxError('ERR_SANDBOX_PERSON_UNKNOWN', `There is no person ${personId}.`);
      return person;
    },
    list: () => [...people.values()],
  };
}

class SimulatedPerson implements Person {
  constructor(
    private readonly context: PeopleContext,
    readonly id: string,
    readonly name: string,
    private readonly forget: () => void,
  ) {}

  get channelId(): string | null {
    return this.state?.channelId ?? null;
  }

  async joinVoice(channelId: string): Promise<void> {
    const { world, guild } = this.context;
    if (!guild.members.has(this.id))
      throw new SandboxError('ERR_SANDBOX_PERSON_UNKNOWN', `${this.name} left the guild.`);
    const refusal = voiceRefusal(guild, this.id, channelId, false);
    if (refusal !== undefined) {
      const { code, says } = REFUSALS[refusal];
      throw new SandboxError(code, `Channel ${channelId} ${says}.`);
    }
    if (this.channelId === channelId) return;
    const sessionId = this.state?.sessionId ?? randomHex(world.random, 32);
    this.context.broadcast(enterVoice(world, guild, this.id, channelId, { sessionId }));
  }

  async leaveVoice(): Promise<void> {
    this.context.broadcast(leaveVoice(this.context.world, this.context.guild, this.id));
  }

  async moveTo(channelId: string): Promise<void> {
    this.needVoice();
    await this.joinVoice(channelId);
  }

  async setMute(muted: boolean): Promise<void> {
    this.change({ selfMute: muted });
  }

  async setDeaf(deafened: boolean): Promise<void> {
    this.change({ selfDeaf: deafened });
  }

  async setVideo(on: boolean): Promise<void> {
    this.change({ selfVideo: on });
  }

  async leaveGuild(): Promise<void> {
    const { world, guild } = this.context;
    const user = world.users.get(this.id);
    if (user === undefined || !guild.members.has(this.id)) return;
    const events = removeMember(world, guild, user);
    this.forget();
    this.context.broadcast(events);
  }

  private change(change: VoiceChange): void {
    this.needVoice();
    this.context.broadcast(changeVoice(this.context.world, this.context.guild, this.id, change));
  }

  private needVoice(): void {
    if (this.state !== undefined) return;
    throw new SandboxError('ERR_SANDBOX_PERSON_NOT_CONNECTED', `${this.name} is not in voice.`);
  }

  private get state(): VoiceState | undefined {
    return this.context.guild.voiceStates.get(this.id);
  }
}
