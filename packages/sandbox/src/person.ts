/** Owns what one simulated person can do. The world decides; this asks on their behalf and turns refusals into errors. */
import { ActivityType, PermissionFlagsBits as P } from 'discord-api-types/v10';
import { SandboxError, type SandboxErrorCode } from './errors.js';
import { type MessageInput, type SandboxMessage, showMessage } from './messages.js';
import { randomHex } from './protocol/random.js';
import { typingEvent } from './protocol/routes/messages.js';
import { guildPermissions, outranks } from './protocol/world/access.js';
import { isTextChannel } from './protocol/world/channels.js';
import type { WorldEvent } from './protocol/world/events.js';
import { applyInvite, findInvite } from './protocol/world/invites.js';
import { addMember, changeMember, removeMember } from './protocol/world/members.js';
import { deleteMessage, editMessage, type Moment, mayHere, postMessage } from './protocol/world/messages.js';
import { type ChannelPlace, openDm } from './protocol/world/places.js';
import { setPresence } from './protocol/world/presence.js';
import { addReaction, isEmoji, removeReaction } from './protocol/world/reactions.js';
import type { Guild, Member, Message, VoiceState, World } from './protocol/world/types.js';
import {
  changeVoice,
  enterVoice,
  isVoiceChannel,
  leaveVoice,
  type VoiceChange,
  type VoiceRefusal,
  voiceRefusal,
} from './protocol/world/voice.js';
import { userOf } from './protocol/world/world.js';

import type { PersonMedia } from './voice/person-media.js';
import type { FrameSource, Playback } from './voice/playback.js';

/** How a person appears. */
export type PersonStatus = 'online' | 'idle' | 'dnd' | 'offline';

/** What people need of the sandbox. */
export interface PeopleContext {
  readonly world: World;
  readonly guild: Guild;
  /** Their media in voice; `undefined` when they are not there. @throws SandboxError (rejects) `ERR_SANDBOX_DAVE_UNAVAILABLE`. */
  media(personId: string): Promise<PersonMedia | undefined>;
  /** The media of someone who has sent any. */
  sentBy(personId: string): PersonMedia | undefined;
  /** Hands on dispatches. @throws SandboxError `ERR_SANDBOX_CLOSED`. */
  broadcast(events: readonly WorldEvent[]): void;
  moment(): Moment;
}

const STATUSES: readonly PersonStatus[] = ['online', 'idle', 'dnd', 'offline'];
/** Characters in a message. */
const MAX_CONTENT_CHARS = 2000;

const REFUSALS: Record<VoiceRefusal, { readonly code: SandboxErrorCode; readonly says: string }> = {
  channelUnknown: { code: 'ERR_SANDBOX_CHANNEL_UNKNOWN', says: 'does not exist' },
  channelNotVoice: { code: 'ERR_SANDBOX_CHANNEL_NOT_VOICE', says: 'is not a voice channel' },
  notPermitted: { code: 'ERR_SANDBOX_PERMISSION_MISSING', says: 'is closed to them' },
  channelFull: { code: 'ERR_SANDBOX_CHANNEL_FULL', says: 'is full' },
};

/** A person over the world's state; `people.ts` has its public type. */
export class SimulatedPerson {
  constructor(
    private readonly context: PeopleContext,
    readonly id: string,
    readonly name: string,
  ) {}

  get channelId(): string | null {
    return this.state?.channelId ?? null;
  }

  get voice(): { readonly mute: boolean; readonly deaf: boolean; readonly video: boolean } | null {
    const { state } = this;
    return state === undefined ? null : { mute: state.selfMute, deaf: state.selfDeaf, video: state.selfVideo };
  }

  get isMember(): boolean {
    return this.context.guild.members.has(this.id);
  }

  get roles(): readonly string[] {
    return [...(this.context.guild.members.get(this.id)?.roles ?? [])];
  }

  async joinVoice(channelId: string): Promise<void> {
    const { world, guild } = this.context;
    this.needMember();
    const refusal = voiceRefusal(guild, this.id, channelId);
    if (refusal !== undefined) {
      const { code, says } = REFUSALS[refusal];
      throw new SandboxError(code, `Channel ${channelId} ${says}.`);
    }
    if (this.channelId === channelId) return;
    const sessionId = this.state?.sessionId ?? randomHex(world.random, 32);
    this.tell(enterVoice(world, guild, this.id, channelId, { sessionId }));
  }

  async leaveVoice(): Promise<void> {
    this.tell(leaveVoice(this.context.world, this.context.guild, this.id));
  }

  async moveTo(channelId: string): Promise<void> {
    this.needVoice(this.id);
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

  get speaking(): Playback | undefined {
    return this.context.sentBy(this.id)?.speaking;
  }

  get showing(): Playback | undefined {
    return this.context.sentBy(this.id)?.showing;
  }

  async speak(packets?: FrameSource): Promise<Playback> {
    return (await this.needMedia()).speak(packets);
  }

  async showVideo(frames?: readonly Uint8Array[], fps?: number): Promise<Playback> {
    if (frames !== undefined && frames.length === 0) throw new TypeError('showVideo: a picture has frames');
    if (fps !== undefined && !(fps >= 1 && fps <= 120)) throw new TypeError('showVideo: fps is a number from 1 to 120');
    return (await this.needMedia()).show(frames, fps);
  }

  get status(): PersonStatus {
    return this.context.world.presences.get(this.id)?.status ?? 'offline';
  }

  async setPresence(status: PersonStatus, activity?: string): Promise<void> {
    if (!STATUSES.includes(status)) throw new TypeError(`setPresence: one of ${STATUSES.join(', ')}`);
    const activities = activity === undefined ? [] : [{ name: activity, type: ActivityType.Playing }];
    this.tell(setPresence(this.context.world, this.id, status === 'offline' ? undefined : { status, activities }));
  }

  async joinGuild(inviteCode?: string): Promise<void> {
    const { world, guild } = this.context;
    if (this.isMember) return;
    if (inviteCode !== undefined) {
      const found = findInvite(world, inviteCode, this.context.moment().now);
      if (found === undefined) throw new SandboxError('ERR_SANDBOX_INVITE_UNKNOWN', 'The invite does not hold.');
      applyInvite(guild, found.invite);
    }
    this.tell(addMember(guild, userOf(world, this.id), { joinedAt: this.context.moment().stamp }));
  }

  async leaveGuild(): Promise<void> {
    const { world, guild } = this.context;
    this.tell(removeMember(world, guild, userOf(world, this.id)));
  }

  async send(channelId: string, input: string | MessageInput): Promise<SandboxMessage> {
    const { content, replyTo } = typeof input === 'string' ? { content: input, replyTo: undefined } : input;
    const place = this.placeOf(channelId, P.SendMessages);
    const answered = replyTo === undefined ? undefined : this.messageIn(place, replyTo);
    const { world } = this.context;
    const draft = { content: checkContent(content), replyTo: answered };
    const { message, events } = postMessage(world, place, { id: this.id }, draft, this.context.moment());
    this.tell(events);
    return showMessage(world, message);
  }

  async edit(channelId: string, messageId: string, content: string): Promise<SandboxMessage> {
    const place = this.placeOf(channelId, 0n);
    const message = this.messageIn(place, messageId);
    if (message.authorId !== this.id) throw this.forbidden('edit a message of someone else');
    const { world } = this.context;
    this.tell(editMessage(world, place, message, { content: checkContent(content) }, this.context.moment()));
    return showMessage(world, message);
  }

  async delete(channelId: string, messageId: string): Promise<void> {
    const place = this.placeOf(channelId, 0n);
    const message = this.messageIn(place, messageId);
    const isOwn = message.authorId === this.id;
    if (!isOwn && (place.kind === 'dm' || mayHere(place, this.id, P.ManageMessages) !== undefined)) {
      throw this.forbidden('delete a message of someone else');
    }
    this.tell(deleteMessage(this.context.world, place, message));
  }

  async react(channelId: string, messageId: string, emoji: string): Promise<void> {
    const place = this.placeOf(channelId, P.ReadMessageHistory);
    const message = this.messageIn(place, messageId);
    checkEmoji(emoji);
    const isNew = !message.reactions.some((reaction) => reaction.emoji === emoji);
    if (isNew && mayHere(place, this.id, P.AddReactions) !== undefined) throw this.forbidden('add reactions');
    this.tell(addReaction(this.context.world, place, message, emoji, this.id));
  }

  async unreact(channelId: string, messageId: string, emoji: string): Promise<void> {
    const place = this.placeOf(channelId, 0n);
    const message = this.messageIn(place, messageId);
    checkEmoji(emoji);
    this.tell(removeReaction(this.context.world, place, message, emoji, this.id));
  }

  async type(channelId: string): Promise<void> {
    const { world } = this.context;
    const place = this.placeOf(channelId, P.SendMessages);
    this.tell([typingEvent({ world, now: this.context.moment().now }, place, this.id)]);
  }

  async openDm(botId: string): Promise<string> {
    if (!this.context.world.bots.has(botId)) throw unknownPerson(botId);
    return openDm(this.context.world, botId, this.id).id;
  }

  async disconnect(personId: string): Promise<void> {
    const { world, guild } = this.context;
    this.moderate(personId, P.MoveMembers);
    this.needVoice(personId);
    this.tell(leaveVoice(world, guild, personId));
  }

  async move(personId: string, channelId: string): Promise<void> {
    const { world, guild } = this.context;
    this.moderate(personId, P.MoveMembers);
    const { sessionId } = this.needVoice(personId);
    const channel = guild.channels.get(channelId);
    // The one who moves must be able to enter; the one who is moved need not.
    const refusal = voiceRefusal(guild, this.id, channelId);
    if (channel === undefined || !isVoiceChannel(channel) || refusal === 'notPermitted') {
      const { code, says } = REFUSALS[refusal ?? 'channelNotVoice'];
      throw new SandboxError(code, `Channel ${channelId} ${says}.`);
    }
    this.tell(enterVoice(world, guild, personId, channelId, { sessionId }));
  }

  async mute(personId: string, muted = true): Promise<void> {
    const member = this.moderate(personId, P.MuteMembers);
    this.needVoice(personId);
    this.tell(changeMember(this.context.world, this.context.guild, member, { mute: muted }));
  }

  async deafen(personId: string, deafened = true): Promise<void> {
    const member = this.moderate(personId, P.DeafenMembers);
    this.needVoice(personId);
    this.tell(changeMember(this.context.world, this.context.guild, member, { deaf: deafened }));
  }

  async kick(personId: string): Promise<void> {
    const { world, guild } = this.context;
    this.moderate(personId, P.KickMembers);
    if (!outranks(guild, this.id, personId)) throw this.forbidden('kick who stands as high');
    this.tell(removeMember(world, guild, userOf(world, personId)));
  }

  private tell(events: readonly WorldEvent[]): void {
    this.context.broadcast(events);
  }

  private change(change: VoiceChange): void {
    this.needVoice(this.id);
    this.tell(changeVoice(this.context.world, this.context.guild, this.id, change));
  }

  private needMember(): void {
    if (this.isMember) return;
    throw new SandboxError('ERR_SANDBOX_PERSON_NOT_MEMBER', `${this.name} is not in the guild.`);
  }

  private async needMedia(): Promise<PersonMedia> {
    this.needVoice(this.id);
    const media = await this.context.media(this.id);
    if (media !== undefined) return media;
    throw new SandboxError('ERR_SANDBOX_PERSON_NOT_CONNECTED', `${this.name} is not in voice.`);
  }

  private needVoice(personId: string): VoiceState {
    const state = this.context.guild.voiceStates.get(personId);
    if (state !== undefined) return state;
    const who = this.context.world.users.get(personId)?.username ?? personId;
    throw new SandboxError('ERR_SANDBOX_PERSON_NOT_CONNECTED', `${who} is not in voice.`);
  }

  /** The member to act on, when this person may. */
  private moderate(personId: string, needed: bigint): Member {
    const { guild } = this.context;
    const member = guild.members.get(personId);
    if (member === undefined) throw unknownPerson(personId);
    if ((guildPermissions(guild, this.id) & needed) === 0n) throw this.forbidden('moderate members');
    return member;
  }

  private placeOf(channelId: string, needed: bigint): ChannelPlace {
    const { world, guild } = this.context;
    const dm = world.dms.get(channelId);
    if (dm?.userId === this.id) return { kind: 'dm', channel: dm };
    const channel = guild.channels.get(channelId);
    if (channel === undefined) {
      throw new SandboxError('ERR_SANDBOX_CHANNEL_UNKNOWN', `Channel ${channelId} does not exist.`);
    }
    this.needMember();
    if (!isTextChannel(channel)) {
      throw new SandboxError('ERR_SANDBOX_CHANNEL_NOT_TEXT', `Channel ${channelId} holds no messages.`);
    }
    const place: ChannelPlace = { kind: 'guild', guild, channel };
    if (mayHere(place, this.id, P.ViewChannel | needed) !== undefined) {
      throw this.forbidden(`do that in channel ${channelId}`);
    }
    return place;
  }

  private messageIn({ channel }: ChannelPlace, messageId: string): Message {
    const message = channel.messages.get(messageId);
    if (message === undefined) {
      throw new SandboxError('ERR_SANDBOX_MESSAGE_UNKNOWN', `There is no message ${messageId} in ${channel.id}.`);
    }
    return message;
  }

  private forbidden(what: string): SandboxError {
    return new SandboxError('ERR_SANDBOX_PERMISSION_MISSING', `${this.name} may not ${what}.`);
  }

  private get state(): VoiceState | undefined {
    return this.context.guild.voiceStates.get(this.id);
  }
}

/** The error for an id that is nobody's. */
export const unknownPerson = (personId: string): SandboxError =>
  new SandboxError('ERR_SANDBOX_PERSON_UNKNOWN', `There is no person ${personId}.`);

function checkContent(content: unknown): string {
  const text = typeof content === 'string' ? content.trim() : '';
  if (text.length >= 1 && text.length <= MAX_CONTENT_CHARS) return text;
  throw new SandboxError('ERR_SANDBOX_MESSAGE_INVALID', `A message has 1 to ${MAX_CONTENT_CHARS} characters.`);
}

function checkEmoji(emoji: string): void {
  if (isEmoji(emoji)) return;
  throw new SandboxError('ERR_SANDBOX_MESSAGE_INVALID', 'A reaction is one Unicode emoji.');
}
