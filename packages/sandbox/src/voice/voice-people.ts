/** Owns the media of simulated people: makes them when the first is sent, and the people members of DAVE groups where that is needed. */
import type { Clock } from '@guildkit/core';
import { type DaveySessionFactory, loadDavey } from '../codec/davey.js';
import { SandboxError } from '../errors.js';
import type { MediaServer } from '../io/media-server.js';
import type { Seat } from '../protocol/voice/session-types.js';
import type { DaveMessage } from './dave-service-types.js';
import { PersonDave } from './person-dave.js';
import { PersonMedia } from './person-media.js';
import type { VoiceChannel, VoiceChannels } from './voice-channels.js';

/** Where a person is, and what they may send with. */
export interface PersonPlace {
  readonly channel: VoiceChannel;
  readonly seat: Seat;
}

/** What people's media are made with. */
export interface VoicePeopleOptions {
  readonly clock: Clock;
  readonly server: MediaServer;
  readonly channels: VoiceChannels;
  placeOf(guildId: string, userId: string): PersonPlace | undefined;
  showCamera(guildId: string, userId: string, on: boolean): void;
}

/** How long a person waits for the group before they send, and how often they look. */
const GROUP_WAIT_MS = 3_000;
const GROUP_POLL_MS = 5;

const keyOf = (guildId: string, userId: string): string => `${guildId}:${userId}`;

/** Those who send media, or did. */
export class VoicePeople {
  private readonly media = new Map<string, PersonMedia>();
  private davey: DaveySessionFactory | undefined;

  constructor(private readonly options: VoicePeopleOptions) {}

  /**
   * The media of someone in voice, a member of the channel's group where DAVE is on; `undefined` outside of voice.
   *
   * @throws SandboxError (rejects) `ERR_SANDBOX_DAVE_UNAVAILABLE` when davey would be needed and is not installed.
   */
  async mediaOf(guildId: string, userId: string): Promise<PersonMedia | undefined> {
    const { channels, placeOf } = this.options;
    const place = placeOf(guildId, userId);
    if (place === undefined) return undefined;
    const { channel, seat } = place;
    if (channels.policyOf(channel.guild, channel.id) !== 'off') this.davey ??= await loadPersonDavey();
    // They may have gone while davey was loaded.
    if (placeOf(guildId, userId)?.seat !== seat) return undefined;
    const media = this.media.get(keyOf(guildId, userId)) ?? this.create(guildId, userId, place);
    this.enrol(channel, userId);
    if (media.dave !== undefined) await this.untilReady(channel, media.dave);
    return this.media.get(keyOf(guildId, userId)) === media ? media : undefined;
  }

  /** The media of someone who has sent any; `undefined` for all others. */
  find(guildId: string, userId: string): PersonMedia | undefined {
    return this.media.get(keyOf(guildId, userId));
  }

  /** A client has come: those who send media already become members of the group that there is now. */
  enrolAll(channel: VoiceChannel): void {
    for (const userId of channel.room.userIds) this.enrol(channel, userId);
  }

  /** Takes a message of DAVE; false when it is for nobody here. */
  take(guildId: string, userId: string, message: DaveMessage): boolean {
    const dave = this.media.get(keyOf(guildId, userId))?.dave;
    dave?.take(message);
    return dave !== undefined;
  }

  /** Someone has left the channel. */
  end(guildId: string, userId: string): void {
    this.media.get(keyOf(guildId, userId))?.end();
    this.media.delete(keyOf(guildId, userId));
  }

  /** Ends everything. */
  close(): void {
    for (const media of this.media.values()) media.end();
    this.media.clear();
  }

  private create(guildId: string, userId: string, { channel, seat }: PersonPlace): PersonMedia {
    const { clock, server, channels, showCamera } = this.options;
    const media = new PersonMedia({
      clock,
      userId,
      seat,
      room: channel.room,
      server,
      tell: (outputs) => channels.tell(channel, outputs),
      showCamera: (on) => showCamera(guildId, userId, on),
    });
    this.media.set(keyOf(guildId, userId), media);
    return media;
  }

  private enrol(channel: VoiceChannel, userId: string): void {
    const media = this.media.get(keyOf(channel.guild.id, userId));
    const createSession = this.davey;
    if (media === undefined || media.dave !== undefined) return;
    if (createSession === undefined || channel.dave === undefined) return;
    media.dave = new PersonDave({
      userId,
      channelId: channel.id,
      createSession,
      userIds: () => channel.room.userIds,
      // Not while the message is taken that it answers: the service has more to give at that time.
      send: (input) => queueMicrotask(() => this.options.channels.step(channel, input)),
    });
    this.options.channels.step(channel, { type: 'joined', userId, maxVersion: 1 });
  }

  /** Waits until everyone in the group is ready; not for ever, and not where there is nobody to make one with. */
  private async untilReady(channel: VoiceChannel, person: PersonDave): Promise<void> {
    const { clock, channels } = this.options;
    const until = clock.now() + GROUP_WAIT_MS;
    const isUnderWay = (): boolean => {
      const view = channels.get(channel.id) === channel ? channel.dave?.view : undefined;
      if (view === undefined || view.protocolVersion === 0 || view.members.length <= 1) return false;
      return !person.isReady || view.transitions.length > 0;
    };
    while (clock.now() < until && isUnderWay()) {
      await new Promise<void>((resolve) => {
        clock.setTimer(resolve, GROUP_POLL_MS);
      });
    }
  }
}

async function loadPersonDavey(): Promise<DaveySessionFactory> {
  try {
    return await loadDavey();
  } catch (error) {
    const says = 'A person sends media into a channel with DAVE, and @snazzah/davey cannot be loaded.';
    throw new SandboxError('ERR_SANDBOX_DAVE_UNAVAILABLE', says, error);
  }
}
