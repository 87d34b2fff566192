/** Owns room logs in this process. Refuses persistence: a restart is a new epoch. */
import { randomBytes } from 'node:crypto';
import { type Clock, check, resolveOptions, systemClock } from '@guildkit/core';
import type { RoomSnapshot } from '@guildkit/core/wire';
import type { HubEngine, RoomListener } from '../engine.js';
import { RoomLog } from '../protocol/room-log.js';
import { applyRoomEvent, initialRoomState, isInitialState } from '../protocol/room-state.js';

/** Settings of {@link memoryEngine}. */
export interface MemoryEngineOptions {
  /**
   * Events kept for each room.
   * @defaultValue 1000
   */
  readonly maxEvents?: number | undefined;
  /**
   * How long an event is kept, in ms.
   * @defaultValue 300000: longer than a reload, a tunnel or a deploy.
   */
  readonly maxAgeMs?: number | undefined;
  /**
   * Event ids remembered for each room, to drop what is delivered twice.
   * @defaultValue 4096
   */
  readonly maxIds?: number | undefined;
  readonly clock?: Clock | undefined;
}

const DEFAULTS = {
  maxEvents: 1_000,
  maxAgeMs: 300_000,
  maxIds: 4_096,
  clock: systemClock,
} as const satisfies Required<MemoryEngineOptions>;

type Settings = { readonly [K in keyof typeof DEFAULTS]: Exclude<MemoryEngineOptions[K], undefined> };

interface Room {
  readonly log: RoomLog;
  readonly listeners: Set<RoomListener>;
  state: RoomSnapshot;
  group: string | undefined;
}

/** Rooms are looked through for ones to forget at most this often, on the way of other work: no timer is kept. */
const SWEEP_EVERY_MS = 30_000;

/**
 * Creates an engine that keeps room logs in this process.
 *
 * @throws TypeError on options out of range.
 */
export function memoryEngine(options?: MemoryEngineOptions): HubEngine {
  const { clock, ...limits } = resolveOptions<Settings>('memoryEngine', DEFAULTS, options, {
    maxEvents: check.integer(0, 1_000_000),
    maxAgeMs: check.integer(0),
    maxIds: check.integer(0, 10_000_000),
  });
  const rooms = new Map<string, Room>();
  const groups = new Map<string, Set<string>>();
  /** Room → node → who has the room open there, and until when that counts. */
  const viewers = new Map<string, Map<string, { readonly userIds: readonly string[]; readonly until: number }>>();
  // A name that was forgotten and comes back must not reuse an epoch: its numbers start again.
  const boot = randomBytes(8).toString('base64url');
  let lives = 0;
  let sweptAt = clock.now();

  function open(name: string): Room {
    let room = rooms.get(name);
    if (room === undefined) {
      lives += 1;
      const log = new RoomLog(name, `${boot}.${lives.toString(36)}`, limits);
      room = { log, listeners: new Set(), state: initialRoomState(name), group: undefined };
      rooms.set(name, room);
    }
    return room;
  }

  function join(name: string, room: Room, group: string | undefined): void {
    if (group === undefined || room.group === group) return;
    part(name, room);
    room.group = group;
    const members = groups.get(group) ?? new Set();
    groups.set(group, members.add(name));
  }

  function part(name: string, room: Room): void {
    if (room.group === undefined) return;
    const members = groups.get(room.group);
    members?.delete(name);
    if (members?.size === 0) groups.delete(room.group);
  }

  function sweep(now: number): void {
    if (now - sweptAt < SWEEP_EVERY_MS) return;
    sweptAt = now;
    for (const [name, room] of rooms) {
      room.log.prune(now);
      const gone = room.state.kind === 'voice' && room.state.state === 'deleted';
      if (room.listeners.size > 0 || room.log.size > 0 || !(gone || isInitialState(room.state))) continue;
      part(name, room);
      rooms.delete(name);
    }
  }

  return {
    async publish(name, event) {
      const now = clock.now();
      sweep(now);
      const room = open(name);
      const { log } = room;
      const known = log.seqOf(event.id);
      if (known !== undefined) return { epoch: log.epoch, seq: known, duplicate: true };
      // A copy: the caller's object may change after this.
      const payload = event.json ?? JSON.stringify(event.payload ?? null);
      join(name, room, event.group);
      if (room.state.kind !== 'none') room.state = applyRoomEvent(room.state, event.event, JSON.parse(payload));
      const record = Object.freeze(log.append(event, payload, now));
      for (const listener of [...room.listeners]) listener(record);
      return { epoch: log.epoch, seq: record.seq, duplicate: false };
    },

    async read(name, since) {
      const now = clock.now();
      sweep(now);
      const { log, state } = open(name);
      const missed = since?.epoch === log.epoch ? log.after(since.seq, now) : undefined;
      return {
        epoch: log.epoch,
        seq: log.seq,
        recovered: missed !== undefined,
        events: missed ?? [],
        snapshot: state,
      };
    },

    async watch(name, listener) {
      // A function of its own, so that one listener may watch twice.
      const own: RoomListener = (record) => listener(record);
      const { listeners } = open(name);
      listeners.add(own);
      return () => {
        listeners.delete(own);
      };
    },

    async rooms(group) {
      return [...(groups.get(group) ?? [])];
    },

    async setViewers(name, node, userIds, ttlMs) {
      const nodes = viewers.get(name) ?? new Map();
      if (userIds.length > 0) viewers.set(name, nodes.set(node, { userIds: [...userIds], until: clock.now() + ttlMs }));
      else if (nodes.delete(node) && nodes.size === 0) viewers.delete(name);
    },

    async viewers(name) {
      const nodes = viewers.get(name);
      const seen = new Set<string>();
      for (const [node, { userIds, until }] of nodes ?? []) {
        if (until <= clock.now()) nodes?.delete(node);
        else for (const userId of userIds) seen.add(userId);
      }
      if (nodes?.size === 0) viewers.delete(name);
      return [...seen];
    },

    async close() {
      rooms.clear();
      groups.clear();
      viewers.clear();
    },
  };
}
