/**
 * DAVE clients in one voice channel of the sandbox's delivery service, in process and in virtual time: signalling with a
 * latency for each client and in order, media with one of its own, and a filter for what is lost.
 */
import { createDaveService } from '../../../sandbox/src/voice/dave-service.js';
import type {
  DaveMessage,
  DaveService,
  DaveServiceInput,
  DaveServiceOptions,
} from '../../../sandbox/src/voice/dave-service-types.js';
import {
  createDaveClient,
  type DaveClient,
  type DaveCodec,
  type DaveEffect,
  type DaveEvent,
  type DaveLibrary,
  type DaveMediaKind,
  daveInputOf,
} from '../../src/dave/dave.js';

export const CHANNEL = '927310423890473011';
export const userId = (n: number): string => String(100_000_000_000_000_000n + BigInt(n));

/** What one member heard of another. */
export interface Heard {
  sent: number;
  encrypted: number;
  readable: number;
  /** Opened at the second attempt, when new keys had come. */
  late: number;
  wrong: number;
  readonly lost: Record<string, number>;
  /** Virtual times of frames that were lost. */
  readonly lostAt: number[];
}

export interface Latency {
  /** One way, in ms. */
  readonly signalling: number;
  readonly media: number;
}

/** A message under way. */
export type Leg =
  | { readonly to: 'service'; readonly input: DaveServiceInput }
  | { readonly to: 'member'; readonly message: Told };
type Told = DaveMessage | { readonly kind: 'json'; readonly op: 11 | 13; readonly d: unknown };

interface Waiting {
  readonly from: string;
  readonly kind: DaveMediaKind;
  readonly data: Uint8Array;
  readonly original: Uint8Array;
  readonly until: number;
}

const TICK_MS = 20;
/** How long a receiver keeps a frame that it cannot open yet: its jitter buffer. */
const PATIENCE_MS = 100;

export class Member {
  readonly client: DaveClient;
  readonly events: DaveEvent[] = [];
  readonly told: number[] = [];
  readonly heard = new Map<string, Heard>();
  readonly waiting: Waiting[] = [];
  speaks = false;
  isThere = true;
  /** While its connection is cut: what the voice gateway keeps for the replay. */
  missed: Told[] | undefined;
  /** While its connection is cut: what it says into it. */
  readonly unsaid: DaveServiceInput[] = [];
  frames = 0;
  notSent = 0;

  constructor(
    readonly room: DaveRoom,
    readonly id: string,
    readonly maxVersion: number,
    readonly latency: Latency,
    library: DaveLibrary,
  ) {
    this.client = createDaveClient({ userId: id, channelId: CHANNEL, library });
  }

  from(other: Member): Heard {
    const known = this.heard.get(other.id);
    if (known !== undefined) return known;
    const fresh: Heard = { sent: 0, encrypted: 0, readable: 0, late: 0, wrong: 0, lost: {}, lostAt: [] };
    this.heard.set(other.id, fresh);
    return fresh;
  }

  hear(message: Told): void {
    this.told.push(message.op);
    if (message.kind === 'binary') this.take({ type: 'binary', op: message.op, payload: message.payload });
    else {
      const input = daveInputOf(message.op, message.d);
      if (input === undefined) throw new Error(`op ${message.op} is no input`);
      this.take(input);
    }
  }

  take(input: Parameters<DaveClient['handle']>[0]): void {
    this.carryOut(this.client.handle(input, this.room.now));
  }

  private carryOut(effects: readonly DaveEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'event') {
        this.events.push(effect.event);
        if (effect.event.type === 'keys') this.tryAgain();
      } else this.room.toService(this, inputOf(this.id, effect));
    }
  }

  receive(from: Member, kind: DaveMediaKind, data: Uint8Array, original: Uint8Array): void {
    const heard = this.from(from);
    heard.sent += 1;
    const result = this.client.decrypt(from.id, kind, data, this.room.now);
    if (result.ok) {
      if (result.encrypted) heard.encrypted += 1;
      else heard.readable += 1;
      if (Buffer.compare(result.data, original) !== 0) heard.wrong += 1;
    } else if (result.reason === 'pending') {
      this.waiting.push({ from: from.id, kind, data, original, until: this.room.now + PATIENCE_MS });
    } else this.lose(heard, result.reason);
  }

  private lose(heard: Heard, reason: string): void {
    heard.lost[reason] = (heard.lost[reason] ?? 0) + 1;
    heard.lostAt.push(this.room.now);
  }

  private tryAgain(): void {
    for (const { from, kind, data, original, until } of this.waiting.splice(0)) {
      const heard = this.heard.get(from);
      if (heard === undefined) continue;
      const result = this.room.now <= until ? this.client.decrypt(from, kind, data, this.room.now) : undefined;
      if (result?.ok !== true) this.lose(heard, 'pending');
      else {
        heard.late += 1;
        if (Buffer.compare(result.data, original) !== 0) heard.wrong += 1;
      }
    }
  }

  /** What waits no longer. */
  giveUp(): void {
    while (this.waiting[0] !== undefined && this.waiting[0].until < this.room.now) {
      const heard = this.heard.get(this.waiting.shift()?.from ?? '');
      if (heard !== undefined) this.lose(heard, 'pending');
    }
  }

  speak(kind: DaveMediaKind = 'audio', codec: DaveCodec = 'opus', frame?: Uint8Array): void {
    this.frames += 1;
    const original =
      frame ?? Buffer.concat([Buffer.from([0x78, this.frames & 0xff]), Buffer.alloc(78, this.frames & 0x7f)]);
    const sealed = this.client.encrypt(kind, codec, original);
    if (!sealed.ok) this.notSent += 1;
    else this.room.forward(this, kind, sealed.data, original);
  }
}

function inputOf(id: string, effect: Exclude<DaveEffect, { type: 'event' }>): DaveServiceInput {
  if (effect.type === 'sendBinary') {
    return { type: effect.op === 26 ? 'keyPackage' : 'commitWelcome', userId: id, payload: effect.payload };
  }
  return {
    type: effect.op === 23 ? 'transitionReady' : 'invalidCommitWelcome',
    userId: id,
    transitionId: effect.d.transition_id,
  };
}

export class DaveRoom {
  readonly service: DaveService;
  readonly members = new Map<string, Member>();
  now = 0;
  /** What is lost under way. */
  drops: (member: Member, leg: Leg) => boolean = () => false;
  private readonly events: { at: number; order: number; run(): void }[] = [];
  private order = 0;
  private nextTick = 0;

  constructor(
    private readonly library: DaveLibrary,
    options: Partial<DaveServiceOptions> = {},
  ) {
    this.service = createDaveService({ channelId: CHANNEL, ...options });
  }

  private at(delay: number, run: () => void): void {
    this.order += 1;
    this.events.push({ at: this.now + delay, order: this.order, run });
  }

  /** Cuts a connection. What is under way to the member is lost and kept for it, as all that comes after. */
  cut(member: Member): void {
    if (member.missed !== undefined) return;
    member.missed = [];
    this.give({ type: 'detached', userId: member.id });
  }

  /** Resumes it: it is told what it missed, and says again what may not have arrived. */
  resume(member: Member): void {
    const { missed } = member;
    if (missed === undefined) return;
    member.missed = undefined;
    this.give({ type: 'resumed', userId: member.id });
    for (const message of missed) this.tell(member, message);
    for (const input of member.unsaid.splice(0)) this.toService(member, input);
  }

  toService(member: Member, input: DaveServiceInput): void {
    if (member.missed !== undefined) {
      member.unsaid.push(input);
      return;
    }
    if (this.drops(member, { to: 'service', input })) return;
    this.at(member.latency.signalling, () => {
      if (member.isThere) this.give(input);
    });
  }

  tell(member: Member, message: Told): void {
    if (this.drops(member, { to: 'member', message })) return;
    if (member.missed !== undefined) {
      member.missed.push(message);
      return;
    }
    this.at(member.latency.signalling, () => {
      if (!member.isThere) return;
      // The cut came first.
      if (member.missed !== undefined) member.missed.push(message);
      else member.hear(message);
    });
  }

  give(input: DaveServiceInput): void {
    for (const { userId: to, message } of this.service.handle(input, this.now)) {
      const member = this.members.get(to);
      if (member !== undefined) this.tell(member, message);
    }
  }

  forward(from: Member, kind: DaveMediaKind, data: Uint8Array, original: Uint8Array): void {
    for (const to of this.members.values()) {
      if (to === from) continue;
      this.at(from.latency.media + to.latency.media, () => {
        if (to.isThere && from.isThere) to.receive(from, kind, data, original);
      });
    }
  }

  join(n: number, { maxVersion = 1, latency = { signalling: 20, media: 20 } }: JoinOptions = {}): Member {
    const id = userId(n);
    const member = new Member(this, id, maxVersion, latency, this.library);
    const others = [...this.members.values()];
    const version = this.service.versionFor(maxVersion);
    this.members.set(id, member);
    // In the voice gateway's order: op 4, op 11, then what the service says.
    this.at(latency.signalling, () => member.take({ type: 'session', protocolVersion: version }));
    if (others.length > 0)
      this.tell(member, { kind: 'json', op: 11, d: { user_ids: others.map(({ id: one }) => one) } });
    for (const other of others) this.tell(other, { kind: 'json', op: 11, d: { user_ids: [id] } });
    this.give({ type: 'joined', userId: id, maxVersion });
    return member;
  }

  leave(member: Member): void {
    member.isThere = false;
    this.members.delete(member.id);
    member.client.close();
    for (const other of this.members.values()) this.tell(other, { kind: 'json', op: 13, d: { user_id: member.id } });
    this.give({ type: 'left', userId: member.id });
  }

  /** Lets time pass; who speaks sends a frame every 20 ms. */
  run(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const next = this.nextEvent();
      if (next === undefined || next.at > until) break;
      this.now = Math.max(this.now, next.at);
      next.run();
      for (const member of this.members.values()) member.giveUp();
    }
    this.now = until;
  }

  private nextEvent(): { at: number; run(): void } | undefined {
    const due: { at: number; order?: number; run(): void }[] = [];
    const first = this.events.reduce<(typeof this.events)[number] | undefined>(
      (best, one) =>
        best === undefined || one.at < best.at || (one.at === best.at && one.order < best.order) ? one : best,
      undefined,
    );
    if (first !== undefined) {
      due.push({ at: first.at, run: () => this.events.splice(this.events.indexOf(first), 1)[0]?.run() });
    }
    if (this.service.deadline !== undefined)
      due.push({ at: this.service.deadline, run: () => this.give({ type: 'timer' }) });
    for (const member of this.members.values()) {
      const at = member.client.deadline;
      if (at !== undefined) due.push({ at, run: () => member.take({ type: 'timer' }) });
    }
    if ([...this.members.values()].some(({ speaks }) => speaks))
      due.push({ at: this.nextTick, run: () => this.tick() });
    return due.sort((a, b) => a.at - b.at)[0];
  }

  private tick(): void {
    this.nextTick = Math.max(this.nextTick, this.now) + TICK_MS;
    for (const member of this.members.values()) if (member.speaks) member.speak();
  }

  /** What is wrong with the group that all members should be in, if anything. */
  wrong(): string | undefined {
    const members = [...this.members.values()];
    const ids = members.map(({ id }) => id).sort();
    const codes = new Set(members.map(({ client }) => client.epochCode));
    for (const { id, client } of members) if (client.activity !== 'active') return `${id} is ${client.activity}`;
    if (codes.size !== 1) return `${codes.size} epochs`;
    if (
      this.service.view.leaves
        .filter((leaf) => leaf !== undefined)
        .sort()
        .join() !== ids.join()
    )
      return 'wrong leaves';
    for (const from of members) {
      const frame = Buffer.concat([Buffer.from([0x78]), Buffer.alloc(60, members.indexOf(from))]);
      const sealed = from.client.encrypt('audio', 'opus', frame);
      if (!sealed.ok || !sealed.encrypted) return `${from.id} does not encrypt`;
      for (const to of members) {
        if (to === from) continue;
        const opened = to.client.decrypt(from.id, 'audio', sealed.data, this.now);
        if (!opened.ok || !opened.encrypted) return `${to.id} cannot hear ${from.id}`;
      }
    }
    return undefined;
  }
}

interface JoinOptions {
  readonly maxVersion?: number;
  readonly latency?: Latency;
}
