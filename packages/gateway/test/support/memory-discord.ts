/**
 * A Discord in memory and virtual time, with one guild, two tables and a few people, behind sockets that carry the
 * very bytes: plain, zlib-stream or zstd-stream. Everything that can befall a connection can be made to.
 */
import type { OpenSocket, SocketEvents } from '@guildkit/gateway';
import type { VirtualClock } from '@guildkit/testkit';
import type { StreamName } from './compress.js';

const GUILD = '41771983423143937';
export const TABLES = ['10', '20'] as const;
export const PEOPLE = ['ann', 'bob', 'eve', 'joe'] as const;
const SESSION_LIFE_MS = 180_000;
const HEARTBEAT_MS = 40_000;

/** What befalls the next dispatch on its way. */
export type Fate = 'lose' | 'repeat' | 'swap' | 'spoil' | 'half';

/** Someone went from one place to another; `null` is none. */
export interface Change {
  readonly userId: string;
  readonly from: string | null;
  readonly to: string | null;
}

interface ServerSession {
  readonly id: string;
  readonly log: { readonly seq: number; readonly text: string }[];
  detachedAt: number | undefined;
}

interface Link {
  readonly events: SocketEvents;
  readonly stream: StreamName | undefined;
  session: ServerSession | undefined;
  open: boolean;
  /** Nothing goes through any more, and nobody says so. */
  silent: boolean;
  /** When the last frame arrives: the next does not overtake it. */
  lastAt: number;
  /** Whether the stream's header was sent. */
  begun: boolean;
  /** Nothing of it is left. */
  settle(): void;
}

export class MemoryDiscord {
  readonly seats = new Map<string, string | null>(PEOPLE.map((userId) => [userId, null]));
  /** Since the first session began. */
  readonly happened: Change[] = [];
  identifies = 0;
  resumes = 0;
  fate: Fate | undefined;
  ignored: 'hello' | 'identify' | 'resume' | undefined;
  /** Upgrades that are refused from now on. */
  refusals = 0;
  private readonly sessions = new Map<string, ServerSession>();
  private readonly links = new Set<Link>();
  private held: string | undefined;

  constructor(
    private readonly clock: VirtualClock,
    private readonly random: () => number,
  ) {}

  get openLinks(): number {
    return this.links.size;
  }

  /** The network of one process. */
  readonly openSocket: OpenSocket = (url, events) => {
    const stream = /compress=(\w+-stream)/.exec(url)?.[1] as StreamName | undefined;
    let settle: () => void = () => {};
    const gone = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const state = { session: undefined, open: true, silent: false, lastAt: 0, begun: false };
    const link: Link = { events, stream, settle, ...state };
    this.links.add(link);
    if (this.refusals > 0) {
      this.refusals -= 1;
      this.clock.setTimer(() => {
        if (this.drop(link)) events.onRefused(503, undefined);
      }, 20);
    } else if (this.ignored === 'hello') this.ignored = undefined;
    else this.send(link, JSON.stringify({ op: 10, d: { heartbeat_interval: HEARTBEAT_MS } }));
    return {
      gone,
      send: (text) => {
        if (!link.open) return false;
        if (!link.silent) this.receive(link, JSON.parse(text));
        return true;
      },
      close: (code) => {
        if (this.drop(link) && (code === 1000 || code === 1001)) this.forget(link.session);
      },
      terminate: () => void this.drop(link),
    };
  };

  move(userId: string, to: string | null): void {
    const from = this.seats.get(userId) ?? null;
    if (from === to) return;
    this.seats.set(userId, to);
    if (this.identifies > 0) this.happened.push({ userId, from, to });
    const d = { guild_id: GUILD, user_id: userId, channel_id: to, member: { user: { id: userId, username: userId } } };
    for (const session of this.sessions.values()) this.dispatch(session, 'VOICE_STATE_UPDATE', d);
  }

  /** The peer is gone without a word. */
  cut(code = 1006): void {
    for (const link of [...this.links]) {
      if (!this.drop(link)) continue;
      if (code === 1000 || code === 4007 || code === 4009) this.forget(link.session);
      this.clock.setTimer(() => link.events.onClose(code), 5);
    }
  }

  silence(): void {
    for (const link of this.links) link.silent = true;
  }

  reconnect(): void {
    for (const link of this.links) this.send(link, '{"op":7,"d":null}');
  }

  invalidate(resumable: boolean): void {
    for (const link of this.links) {
      if (!resumable) this.forget(link.session);
      this.send(link, JSON.stringify({ op: 9, d: resumable }));
    }
  }

  raw(text: string): void {
    for (const link of this.links) this.send(link, text);
  }

  loseSessions(): void {
    this.sessions.clear();
    this.cut();
  }

  /** Good weather from now on; what is silent stays it until it is noticed. */
  calm(): void {
    this.fate = undefined;
    this.ignored = undefined;
    this.refusals = 0;
    this.held = undefined;
  }

  private receive(link: Link, { op, d }: { op: number; d: { session_id?: string; seq?: number } }): void {
    if (op === 1) this.send(link, '{"op":11,"d":null}');
    if (op === 2) this.identify(link);
    if (op === 6) this.resume(link, d.session_id ?? '', d.seq ?? 0);
  }

  private identify(link: Link): void {
    if (this.ignored === 'identify') {
      this.ignored = undefined;
      return;
    }
    this.identifies += 1;
    const session: ServerSession = { id: `session-${this.identifies}`, log: [], detachedAt: undefined };
    this.sessions.set(session.id, session);
    link.session = session;
    this.dispatch(session, 'READY', {
      user: { id: '42' },
      session_id: session.id,
      resume_gateway_url: 'wss://resume.test',
      guilds: [{ id: GUILD, unavailable: true }],
    });
    const seated = [...this.seats].filter(([, table]) => table !== null);
    this.dispatch(session, 'GUILD_CREATE', {
      id: GUILD,
      members: PEOPLE.map((id) => ({ user: { id, username: id } })),
      voice_states: seated.map(([user_id, channel_id]) => ({ user_id, channel_id })),
      channels: TABLES.map((id) => ({ id, type: 2, name: `Table ${id}` })),
    });
  }

  private resume(link: Link, sessionId: string, seq: number): void {
    if (this.ignored === 'resume') {
      this.ignored = undefined;
      return;
    }
    const session = this.sessions.get(sessionId);
    const expired = session?.detachedAt !== undefined && this.clock.now() > session.detachedAt + SESSION_LIFE_MS;
    if (session === undefined || expired || seq > session.log.length) {
      this.forget(session);
      this.send(link, '{"op":9,"d":false}');
      return;
    }
    this.resumes += 1;
    for (const other of this.links) if (other !== link && other.session === session) other.session = undefined;
    link.session = session;
    session.detachedAt = undefined;
    for (const { text } of session.log.slice(seq)) this.send(link, text);
    this.dispatch(session, 'RESUMED', {});
  }

  private dispatch(session: ServerSession, t: string, d: unknown): void {
    const seq = session.log.length + 1;
    const text = JSON.stringify({ t, s: seq, op: 0, d });
    session.log.push({ seq, text });
    for (const link of this.links) {
      if (link.session !== session) continue;
      const { fate, held } = this;
      this.fate = undefined;
      this.held = undefined;
      if (fate === 'lose') continue;
      if (fate === 'swap') {
        this.held = text;
        continue;
      }
      this.send(link, text, fate);
      if (fate === 'repeat') this.send(link, text);
      if (held !== undefined) this.send(link, held);
      if (fate === 'half') {
        this.drop(link);
        this.clock.setTimer(() => link.events.onClose(1006), 20);
      }
    }
  }

  private send(link: Link, text: string, fate?: Fate): void {
    const whole = this.encode(link, text);
    const bytes = fate === 'half' ? whole.subarray(0, Math.floor(whole.length / 2)) : whole;
    // A block of a type that there is not; a text that is no JSON.
    if (fate === 'spoil') bytes[link.stream === undefined ? 0 : bytes.length - text.length - 5] = 0x07;
    if (fate === 'half' && link.stream === undefined) return;
    link.lastAt = Math.max(link.lastAt, this.clock.now() + 5 + Math.floor(this.random() * 40));
    this.clock.setTimer(() => {
      if ((link.open || fate === 'half') && !link.silent) link.events.onMessage(bytes, link.stream !== undefined);
    }, link.lastAt - this.clock.now());
  }

  /** One uncompressed block a message: as valid as any, and made without waiting. */
  private encode(link: Link, text: string): Buffer {
    const body = Buffer.from(text);
    const header = link.begun ? '' : link.stream === 'zlib-stream' ? '7801' : '28b52ffd0058';
    link.begun = true;
    switch (link.stream) {
      case undefined:
        return body;
      case 'zlib-stream': {
        // RFC 1951 section 3.2.4, then the empty block of a sync flush.
        const block = Buffer.from([
          0,
          body.length & 0xff,
          body.length >> 8,
          ~body.length & 0xff,
          (~body.length >> 8) & 0xff,
        ]);
        return Buffer.concat([Buffer.from(header, 'hex'), block, body, Buffer.from('000000ffff', 'hex')]);
      }
      case 'zstd-stream': {
        // RFC 8878 section 3.1.1.2: a raw block, not the last. The flush is a block of no bytes.
        const size = body.length << 3;
        const block = Buffer.from([size & 0xff, (size >> 8) & 0xff, size >> 16]);
        return Buffer.concat([Buffer.from(header, 'hex'), block, body, Buffer.from('000000', 'hex')]);
      }
    }
  }

  /** @returns Whether it was open. */
  private drop(link: Link): boolean {
    if (!this.links.delete(link)) return false;
    link.open = false;
    link.settle();
    if (link.session !== undefined) link.session.detachedAt = this.clock.now();
    return true;
  }

  private forget(session: ServerSession | undefined): void {
    if (session !== undefined) this.sessions.delete(session.id);
  }
}
