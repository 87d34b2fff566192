/**
 * Owns the sharing of GUILD_CREATE: sessions that see the same of a guild get one object, so that it is made and
 * serialised once. For as long as the world stays as it is: whoever changes it says so.
 */
import { type GatewayGuildCreateDispatchData, GatewayIntentBits } from 'discord-api-types/v10';
import { guildCreatePayload } from '../payloads/ready.js';
import type { Guild, World } from '../world/types.js';
import type { Session } from './session.js';

/** GUILD_CREATEs by what a session sees. */
export class GuildShapes {
  private readonly made = new Map<string, GatewayGuildCreateDispatchData>();

  constructor(private readonly world: World) {}

  /** The GUILD_CREATE of a session. */
  of(guild: Guild, { botId, intents, largeThreshold }: Session): GatewayGuildCreateDispatchData {
    const key = [guild.id, botId, intents & GatewayIntentBits.GuildPresences, largeThreshold].join();
    const known = this.made.get(key);
    if (known !== undefined) return known;
    const data = guildCreatePayload(this.world, guild, botId, intents, largeThreshold);
    this.made.set(key, data);
    return data;
  }

  /** The world is another one. */
  changed(): void {
    this.made.clear();
  }
}
