/**
 * Owns the voice channels in use: who takes part in each, and its DAVE delivery service with the one timer that it wants.
 * Refuses to know where anyone's messages go: `deliver` does.
 */
import type { Clock } from '@guildkit/core';
import { ChannelType } from 'discord-api-types/v10';
import { type RoomOutput, VoiceRoom } from '../protocol/voice/room.js';
import type { VoiceMessage } from '../protocol/voice/session-types.js';
import type { Guild } from '../protocol/world/types.js';
import { createDaveService } from './dave-service.js';
import type { DaveMessage, DavePolicy, DaveService, DaveServiceInput } from './dave-service-types.js';
import type { VoiceSettings } from './options.js';

/** A channel in use. */
export interface VoiceChannel {
  readonly id: string;
  readonly guild: Guild;
  readonly room: VoiceRoom;
  /** Made when the first client comes: people alone need no group. */
  dave: DaveService | undefined;
  /** Where its voice server is; another one means another server. */
  region: string | null;
}

/** What the channels ask of the rest of the voice side. */
export interface VoiceChannelsOptions {
  readonly clock: Clock;
  readonly dave: VoiceSettings['dave'];
  /** Hands a message to someone; nothing when they have no session. */
  deliver(guildId: string, userId: string, message: VoiceMessage, notice: boolean): void;
  /** Hands a message of DAVE to a simulated person; false when it is no such person's. */
  deliverToPerson(guildId: string, userId: string, message: DaveMessage): boolean;
}

/** The channels in use. */
export class VoiceChannels {
  private readonly open = new Map<string, VoiceChannel>();
  private readonly timers = new Map<string, unknown>();

  constructor(private readonly options: VoiceChannelsOptions) {}

  /** A channel in use. */
  get(channelId: string): VoiceChannel | undefined {
    return this.open.get(channelId);
  }

  /** A channel, in use from now on. */
  use(guild: Guild, channelId: string): VoiceChannel {
    const open = this.open.get(channelId);
    if (open !== undefined) return open;
    const room = new VoiceRoom((userId) => {
      const member = guild.members.get(userId);
      const state = guild.voiceStates.get(userId);
      return { muted: member?.mute === true, deaf: member?.deaf === true || state?.selfDeaf === true };
    });
    const region = guild.channels.get(channelId)?.rtcRegion ?? null;
    const channel: VoiceChannel = { id: channelId, guild, room, dave: undefined, region };
    this.open.set(channelId, channel);
    return channel;
  }

  /** Someone is gone; a channel without anyone is in use no more. */
  depart(channelId: string, userId: string): void {
    const channel = this.open.get(channelId);
    if (channel === undefined) return;
    this.tell(channel, channel.room.leave(userId));
    this.step(channel, { type: 'left', userId });
    if (channel.room.userIds.length > 0) return;
    this.disarm(channelId);
    this.open.delete(channelId);
  }

  /** Hands out what a room has to say. */
  tell({ guild }: VoiceChannel, outputs: readonly RoomOutput[]): void {
    for (const { to, message, notice } of outputs) this.options.deliver(guild.id, to, message, notice === true);
  }

  /** What DAVE is in a channel. */
  policyOf(guild: Guild, channelId: string): DavePolicy {
    const { dave } = this.options;
    const isStage = guild.channels.get(channelId)?.type === ChannelType.GuildStageVoice;
    if (dave === false || isStage) return 'off';
    return dave === true ? 'require' : 'prefer';
  }

  /** Whether a client with that version of DAVE is refused. */
  refuses(guild: Guild, channelId: string, version: number): boolean {
    if (this.policyOf(guild, channelId) === 'require' && version < 1) return true;
    return this.open.get(channelId)?.dave?.admit(version).ok === false;
  }

  /** `dave_protocol_version` for a client with that version. */
  versionFor(guild: Guild, channelId: string, version: number): number {
    const service = this.open.get(channelId)?.dave;
    if (service !== undefined) return service.versionFor(version);
    return this.policyOf(guild, channelId) === 'off' ? 0 : Math.min(version, 1);
  }

  /** A client takes part in the channel's group from now on. */
  enrol(channel: VoiceChannel, userId: string, maxVersion: number): void {
    const policy = this.policyOf(channel.guild, channel.id);
    if (policy !== 'off') channel.dave ??= createDaveService({ channelId: channel.id, policy });
    this.step(channel, { type: 'joined', userId, maxVersion });
  }

  /** Gives DAVE an input, and its outputs to those they are for. */
  step(channel: VoiceChannel, input: DaveServiceInput): void {
    const { clock, deliver, deliverToPerson } = this.options;
    const { dave, guild } = channel;
    if (dave === undefined || this.open.get(channel.id) !== channel) return;
    for (const { userId, message } of dave.handle(input, clock.now())) {
      if (deliverToPerson(guild.id, userId, message)) continue;
      const { op } = message;
      deliver(
        guild.id,
        userId,
        message.kind === 'json' ? { op, d: message.d } : { op, payload: message.payload },
        false,
      );
    }
    this.disarm(channel.id);
    const { deadline } = dave;
    if (deadline === undefined) return;
    const wait = Math.max(0, Math.ceil(deadline - clock.now()));
    this.timers.set(
      channel.id,
      clock.setTimer(() => this.step(channel, { type: 'timer' }), wait),
    );
  }

  /** Forgets everything. */
  close(): void {
    for (const id of [...this.timers.keys()]) this.disarm(id);
    this.open.clear();
  }

  private disarm(channelId: string): void {
    const timer = this.timers.get(channelId);
    if (timer !== undefined) this.options.clock.clearTimer(timer);
    this.timers.delete(channelId);
  }
}
