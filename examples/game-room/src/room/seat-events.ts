/** Owns what a room's pages are told of its seats, the bots that speak for players: an event of this app's own. */

/** A seat that is in a voice channel, and whom it stands for. */
export interface SeatedPlayer {
  /** The seat's own id in Discord: what it says and shows comes under this. */
  readonly seatId: string;
  readonly userId: string;
  readonly username: string;
  /** The player is in the channel by Discord as well. */
  readonly isTwice: boolean;
}

declare module '@guildkit/core/wire' {
  interface RoomEvents {
    /** Every seat of the channel, whenever one of them has changed. */
    'table.seats': { readonly channelId: string; readonly seats: readonly SeatedPlayer[] };
  }
}
