/**
 * Owns since when each voice channel has been in use (Discord docs, Gateway Events: Channel Info, Voice Channel Start
 * Time Update). Follows the dispatches that it is shown.
 */
import { GatewayDispatchEvents } from 'discord-api-types/v10';
import { type DispatchData, type WorldEvent, worldEvent } from '../world/events.js';

interface Use {
  readonly since: number;
  readonly userIds: Set<string>;
}

/** The voice channels in use. */
export class VoiceSessions {
  private readonly uses = new Map<string, Use>();
  /** Where each user of a guild is, by `guild:user`. */
  private readonly places = new Map<string, string>();

  /** Unix seconds; `null` for a channel without anyone in it. */
  since(channelId: string): number | null {
    return this.uses.get(channelId)?.since ?? null;
  }

  /** Takes note of a dispatch; what follows from it. `now` is in unix ms. */
  observe(event: WorldEvent, now: number): readonly WorldEvent[] {
    if (event.name !== GatewayDispatchEvents.VoiceStateUpdate) return [];
    const { channel_id: to, user_id: userId } =
      event.data as DispatchData[typeof GatewayDispatchEvents.VoiceStateUpdate];
    const key = `${event.guildId}:${userId}`;
    const from = this.places.get(key) ?? null;
    if (from === to) return [];
    const events: WorldEvent[] = [];
    if (from !== null) {
      const use = this.uses.get(from);
      use?.userIds.delete(userId);
      if (use?.userIds.size === 0) {
        this.uses.delete(from);
        events.push(startTime(event.guildId, from, null));
      }
    }
    if (to === null) {
      this.places.delete(key);
      return events;
    }
    this.places.set(key, to);
    const use = this.uses.get(to);
    if (use !== undefined) {
      use.userIds.add(userId);
      return events;
    }
    const since = Math.floor(now / 1000);
    this.uses.set(to, { since, userIds: new Set([userId]) });
    events.push(startTime(event.guildId, to, since));
    return events;
  }
}

const startTime = (guildId: string, channelId: string, since: number | null): WorldEvent =>
  worldEvent(GatewayDispatchEvents.VoiceChannelStartTimeUpdate, guildId, {
    id: channelId,
    guild_id: guildId,
    voice_start_time: since,
  });
