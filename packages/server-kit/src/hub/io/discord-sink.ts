/**
 * Owns the way of Discord events into rooms: checked, in order for each guild, each once. Refuses to throw: the
 * caller is a socket's or a webhook's callback.
 */
import type { DomainEvent } from '@guildkit/core';
import { channelRoom, guildRoom, parseRoom, type VoiceRoomSnapshot } from '@guildkit/core/wire';
import type { HubEngine } from '../engine.js';
import { type PlannedEvent, planChatEvent, planDiscordEvent, planSnapshot } from '../protocol/discord-plan.js';
import { isChatEvent, parseDomainEvent, type RoomDomainEvent } from '../protocol/discord-schema.js';

/** What became of a Discord event. */
export type DiscordOutcome =
  /** In the rooms' logs; or nothing was to be said. */
  | 'published'
  /** Known already. */
  | 'duplicate'
  /** No room is made of this kind of event. */
  | 'ignored'
  /** Not an event: sending it again will not help. */
  | 'invalid'
  /** The engine failed: sending it again may help, and is safe. */
  | 'failed';

/** What the sink tells of. */
export interface DiscordSinkHooks {
  published(event: PlannedEvent, cause: DomainEvent): void;
  invalid(problem: string): void;
  failed(error: unknown, event: DomainEvent): void;
}

/** Ids of whole Discord events that are remembered: {@link DiscordSink.remember} says of which. */
const MAX_REMEMBERED = 4_096;

/** Takes Discord events. */
export class DiscordSink {
  private readonly engine: HubEngine;
  private readonly hooks: DiscordSinkHooks;
  /** The tail of each guild's queue: a snapshot reads and then writes, and nothing may come between. */
  private readonly tails = new Map<string, Promise<DiscordOutcome>>();
  private readonly done = new Set<string>();

  constructor(engine: HubEngine, hooks: DiscordSinkHooks) {
    this.engine = engine;
    this.hooks = hooks;
  }

  /** Takes one event. Never rejects. */
  accept(value: DomainEvent): Promise<DiscordOutcome> {
    const parsed = parseDomainEvent(value);
    if (parsed.kind === 'other') return Promise.resolve('ignored');
    if (parsed.kind === 'invalid') {
      this.hooks.invalid(parsed.problem);
      return Promise.resolve('invalid');
    }
    const { event } = parsed;
    const { payload } = event;
    // A private message has no guild.
    const queue = payload.guildId ?? ('channelId' in payload ? `channel ${payload.channelId}` : '');
    const before = this.tails.get(queue);
    const run = before === undefined ? this.process(event) : before.then(() => this.process(event));
    this.tails.set(queue, run);
    void run.then(() => {
      if (this.tails.get(queue) === run) this.tails.delete(queue);
    });
    return run;
  }

  private async process(event: RoomDomainEvent): Promise<DiscordOutcome> {
    if (this.done.has(event.id)) return 'duplicate';
    try {
      let appended = 0;
      const planned = await this.plan(event);
      for (const each of planned) if (await this.append(each, event)) appended += 1;
      // Only now: an event that failed half-way is finished when it comes again.
      if (planned.length === 0 || dependsOnRooms(event)) this.remember(event.id);
      return planned.length > 0 && appended === 0 ? 'duplicate' : 'published';
    } catch (error) {
      this.hooks.failed(error, event);
      return 'failed';
    }
  }

  private async append(planned: PlannedEvent, cause: RoomDomainEvent): Promise<boolean> {
    const { room, group, event, payload, id } = planned;
    const { ts, traceId } = cause;
    const { duplicate } = await this.engine.publish(room, { event, payload, id, ts, traceId, group });
    if (!duplicate) this.hooks.published(planned, cause);
    return !duplicate;
  }

  private async plan(event: RoomDomainEvent): Promise<readonly PlannedEvent[]> {
    if (isChatEvent(event)) return planChatEvent(event);
    if (event.event === 'voice.snapshot') return this.planSnapshot(event);
    if (event.event !== 'voice.left' || !dependsOnRooms(event)) return planDiscordEvent(event);
    // Where from is not known: whichever rooms list the person.
    const { guildId, userId } = event.payload;
    const rooms = await this.voiceRooms(await this.engine.rooms(guildRoom(guildId)));
    return rooms
      .filter(({ members }) => members.some((member) => member.userId === userId))
      .flatMap(({ channelId }) => planDiscordEvent({ ...event, payload: { ...event.payload, channelId } }));
  }

  private async planSnapshot(event: DomainEvent<'voice.snapshot'>): Promise<readonly PlannedEvent[]> {
    const { guildId, members } = event.payload;
    const { snapshot: guild } = await this.engine.read(guildRoom(guildId));
    const names = new Set(await this.engine.rooms(guildRoom(guildId)));
    for (const { channelId } of members) names.add(channelRoom(channelId));
    const rooms = await this.voiceRooms([...names]);
    return planSnapshot(event, { channels: guild.kind === 'guild' ? guild.channels : [], rooms });
  }

  private async voiceRooms(names: readonly string[]): Promise<readonly VoiceRoomSnapshot[]> {
    const channels = names.filter((name) => parseRoom(name)?.kind === 'channel');
    const reads = await Promise.all(channels.map((name) => this.engine.read(name)));
    return reads.flatMap(({ snapshot }) => (snapshot.kind === 'voice' ? [snapshot] : []));
  }

  /**
   * Of events that append nothing, and of those that would append something else by now. What others append is known to the
   * logs by its id, and to them alone: a log may have lost what this process remembers, and is told it again.
   */
  private remember(id: string): void {
    this.done.add(id);
    if (this.done.size <= MAX_REMEMBERED) return;
    for (const oldest of this.done) {
      this.done.delete(oldest);
      return;
    }
  }
}

/** What such an event does depends on what the rooms say when it comes. */
function dependsOnRooms(event: RoomDomainEvent): boolean {
  return event.event === 'voice.snapshot' || (event.event === 'voice.left' && event.payload.channelId === null);
}
