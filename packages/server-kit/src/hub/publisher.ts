/** Owns what is checked of an event before an engine sees it. Refuses what a client could not read. */
import { randomUUID } from 'node:crypto';
import { toLogText } from '@guildkit/core';
import { parseRoom } from '@guildkit/core/wire';
import { roomEventSchemas } from '@guildkit/core/wire/schema';
import { HubError } from '../errors.js';
import type { HubEngine } from './engine.js';
import type { HubSettings } from './options.js';
import type { Published } from './protocol/records.js';
import type { HubCounters } from './stats.js';

/** Settings of one publish. */
export interface PublishOptions {
  /**
   * The event's own id: publishing it again appends nothing.
   * @defaultValue a random one
   */
  readonly id?: string | undefined;
  readonly traceId?: string | undefined;
}

/** Longest name or id of an event, in UTF-16 units; those derived from Discord's events are far shorter. */
const MAX_ID_LENGTH = 256;

/** Appends events to logs. */
export class Publisher {
  private readonly settings: HubSettings;
  private readonly engine: HubEngine;
  private readonly counters: HubCounters;

  constructor(settings: HubSettings, engine: HubEngine, counters: HubCounters) {
    this.settings = settings;
    this.engine = engine;
    this.counters = counters;
  }

  /** @throws `HubError`. */
  async publish(room: string, event: string, payload: unknown, options: PublishOptions): Promise<Published> {
    if (parseRoom(room) === undefined) throw new HubError('ERR_HUB_ROOM_INVALID', { detail: toLogText(String(room)) });
    const { id = randomUUID(), traceId } = options;
    const json = this.check(event, payload, id, traceId);
    const ts = this.settings.clock.wallTime();
    try {
      const published = await this.engine.publish(room, { event, payload, json, id, ts, traceId });
      if (!published.duplicate) this.counters.published += 1;
      return published;
    } catch (cause) {
      this.counters.error('ERR_HUB_PUBLISH_FAILED');
      throw new HubError('ERR_HUB_PUBLISH_FAILED', { cause, retryable: true });
    }
  }

  /** Gives the payload as JSON: engines keep that, and need not make it again. */
  private check(event: string, payload: unknown, id: unknown, traceId: unknown): string {
    if (!isShortText(event) || event.startsWith('sys.')) {
      throw new HubError('ERR_HUB_EVENT_INVALID', { detail: toLogText(String(event)) });
    }
    if (!isShortText(id)) throw new HubError('ERR_HUB_EVENT_INVALID', { detail: 'Option: id.' });
    if (traceId !== undefined && !isShortText(traceId)) {
      throw new HubError('ERR_HUB_EVENT_INVALID', { detail: 'Option: traceId.' });
    }
    checkKnown(event, payload);
    let json: string | undefined;
    try {
      json = JSON.stringify(payload);
    } catch (cause) {
      throw new HubError('ERR_HUB_EVENT_INVALID', { cause });
    }
    // A function, a symbol: JSON has no word for it, and the frame would be none.
    if (json === undefined && payload !== undefined)
      throw new HubError('ERR_HUB_EVENT_INVALID', { detail: 'Payload.' });
    if (Buffer.byteLength(json ?? '') > this.settings.maxEventBytes) throw new HubError('ERR_HUB_EVENT_TOO_LARGE');
    return json ?? 'null';
  }
}

/** An event that clients build their state from has the fields they read. */
function checkKnown(event: string, payload: unknown): void {
  if (!Object.hasOwn(roomEventSchemas, event)) return;
  const { error } = roomEventSchemas[event as keyof typeof roomEventSchemas].safeParse(payload);
  const [issue] = error?.issues ?? [];
  if (issue === undefined) return;
  const field = issue.path.length === 0 ? 'the payload' : issue.path.map(String).join('.');
  throw new HubError('ERR_HUB_EVENT_INVALID', { detail: `Field of ${event}: ${field}.` });
}

/** A name or an id: it stands in every frame beside the payload, whose size is bounded by itself. */
function isShortText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_ID_LENGTH;
}
