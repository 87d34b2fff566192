/** Owns channels as a test or demo sees them: list, create and delete without a bot. */
import { ChannelType } from 'discord-api-types/v10';
import { SandboxError } from './errors.js';
import { type SandboxMessage, showMessages } from './messages.js';
import { createChannel, deleteChannel } from './protocol/world/channels.js';
import type { WorldEvent } from './protocol/world/events.js';
import type { Guild, SandboxChannelType, World } from './protocol/world/types.js';

/** A kind of channel by name. */
export type ChannelKind = 'text' | 'voice' | 'category' | 'announcement' | 'stage';

/** A channel. */
export interface SandboxChannel {
  /** Its id. */
  readonly id: string;
  /** As Discord stores it: text channels are lower-cased, with `-` for spaces. */
  readonly name: string;
  /** What it is for. */
  readonly kind: ChannelKind;
  /** The category it is in. */
  readonly parentId: string | null;
  /** 0 for no limit. */
  readonly userLimit: number;
}

/** The guild's channels. */
export interface SandboxChannels {
  /** Every channel, in the order of creation. */
  list(): readonly SandboxChannel[];
  /**
   * The messages of a channel or conversation, oldest first; at most 5,000 are kept.
   *
   * @throws SandboxError `ERR_SANDBOX_CHANNEL_UNKNOWN`.
   */
  messages(channelId: string): readonly SandboxMessage[];
  /** Creates a channel, as a moderator would. */
  create(options: {
    name: string;
    /** @defaultValue `'voice'` */
    kind?: ChannelKind | undefined;
    parentId?: string | null | undefined;
    userLimit?: number | undefined;
  }): Promise<SandboxChannel>;
  /**
   * Deletes a channel; those in it are disconnected.
   *
   * @throws SandboxError `ERR_SANDBOX_CHANNEL_UNKNOWN`.
   */
  delete(channelId: string): Promise<void>;
}

const TYPES: Record<ChannelKind, SandboxChannelType> = {
  text: ChannelType.GuildText,
  voice: ChannelType.GuildVoice,
  category: ChannelType.GuildCategory,
  announcement: ChannelType.GuildAnnouncement,
  stage: ChannelType.GuildStageVoice,
};
const KINDS = new Map(Object.entries(TYPES).map(([kind, type]) => [type, kind as ChannelKind]));

/** Creates the view of a guild's channels. */
export function createChannels(
  world: World,
  guild: Guild,
  broadcast: (events: readonly WorldEvent[]) => void,
): SandboxChannels {
  const show = (channel: {
    id: string;
    name: string;
    type: SandboxChannelType;
    parentId: string | null;
    userLimit: number;
  }): SandboxChannel => {
    const { id, name, type, parentId, userLimit } = channel;
    return { id, name, kind: KINDS.get(type) ?? 'text', parentId, userLimit };
  };
  return {
    list: () => [...guild.channels.values()].map(show),
    messages(channelId) {
      const channel = guild.channels.get(channelId) ?? world.dms.get(channelId);
      if (channel === undefined) throw unknownChannel(channelId);
      return showMessages(world, channel.messages);
    },
    async create({ name, kind = 'voice', parentId, userLimit }) {
      if (typeof name !== 'string' || name.length === 0 || name.length > 100) {
        throw new TypeError('channels.create: option "name" must be 1 to 100 characters');
      }
      const result = createChannel(world, guild, { name, type: TYPES[kind], parentId, userLimit });
      broadcast(result.events);
      return show(result.channel);
    },
    async delete(channelId) {
      const channel = guild.channels.get(channelId);
      if (channel === undefined) throw unknownChannel(channelId);
      broadcast(deleteChannel(world, guild, channel));
    },
  };
}

const unknownChannel = (channelId: string): SandboxError =>
  new SandboxError('ERR_SANDBOX_CHANNEL_UNKNOWN', `Channel ${channelId} does not exist.`);
