/**
 * A Discord in virtual time: sessions, replays, latency, and a network that can be broken. Its sockets are those that
 * the client opens; nothing leaves the process. What breaks when is up to `weather.ts`.
 */
import type { OpenSocket, SocketEvents } from '@guildkit/gateway';
import type { VirtualClock } from '@guildkit/testkit';

/** Discord's interval. */
export const HEARTBEAT_MS = 41_250;
/** How long a session that nobody uses can be resumed. */
const SESSION_LIFE_MS = 180_000;
const GUILD_ID = '900000000000000001';
const BOT = { id: '900000000000000002', username: 'bot' };

/** A session as Discord keeps it. */
export interface ModelSession {
  readonly id: string;
  seq: number;
  /** What the client has not acknowledged by a heartbeat. */
  log: { readonly seq: number; readonly bytes: Uint8Array }[];
  /** Since when no connection serves it. */
  detachedAt: number | undefined;
  readonly diesAt: () => number;
}

/** A connection, seen from Discord. */
interface Link {
  readonly events: SocketEvents;
  /** The client's socket is gone. @param code It is told so. */
  end(code?: number): void;
  session: ModelSession | undefined;
  /** Nothing goes through any more, and nobody has noticed. */
  silent: boolean;
  open: boolean;
  /** Arrival of the frame that was sent last: the next one does not overtake it. */
  lastArrival: number;
  readonly sentAt: number[];
}

/** What the model tells. */
interface ModelNews {
  /** Event number `n` happened; without a session there is none to hear it. */
  happened(n: number, session: ModelSession | undefined, seq: number): void;
  /** The connection that serves the client has come to nothing. */
  linkBroke(): void;
  availability(available: boolean): void;
  /** The client did what Discord would not allow. */
  violation(what: string): void;
}

/** What can befall a frame that carries an event. */
type FrameFate = 'duplicate' | 'lose' | 'hole' | 'swap' | 'half';

/** See the head of the file. */
export class ModelDiscord {
  readonly truth = new Map<string, string>();
  readonly counts = { sockets: 0, refused: 0, identifies: 0, resumes: 0, resumed: 0, invalidSessions: 0, frames: 0 };
  /** The next one of that kind is never answered. */
  ignore: 'hello' | 'identify' | 'resume' | undefined;
  private fate: FrameFate | undefined;
  private link: Link | undefined;
  private session: ModelSession | undefined;
  private trouble: { readonly status: number | undefined; readonly retryAfterMs: number | undefined } | undefined;
  private events = 0;
  private sessions = 0;
  private identifiedAt = Number.NEGATIVE_INFINITY;
  private swapped: Uint8Array | undefined;
  private lastFrame: Uint8Array | undefined;

  constructor(
    private readonly clock: VirtualClock,
    private readonly random: () => number,
    private readonly news: ModelNews,
  ) {}

  readonly openSocket: OpenSocket = (_url, events) => {
    this.counts.sockets += 1;
    let settle: () => void = () => {};
    const gone = new Promise<void>((resolve) => {
      settle = resolve;
    });
    let ended = false;
    const end = (code?: number): void => {
      if (ended) return;
      ended = true;
      settle();
      if (code !== undefined) events.onClose(code);
    };
    const link: Link = { events, end, session: undefined, silent: false, open: true, lastArrival: 0, sentAt: [] };
    if (this.link !== undefined) this.leave(this.link);
    this.link = link;
    const byClient = (code: number): void => {
      if (ended) return;
      end();
      // Over a dead line no farewell arrives.
      if (link.silent) this.leave(link);
      else this.after(this.latency(), () => this.farewell(link, code));
    };
    // TCP, TLS and the upgrade: three round trips.
    this.after(6 * this.latency(), () => {
      if (ended) return;
      const { trouble } = this;
      if (trouble === undefined) {
        this.greet(link);
        return;
      }
      this.counts.refused += 1;
      this.leave(link);
      if (trouble.status === undefined) {
        end(1006);
        return;
      }
      end();
      events.onRefused(trouble.status, trouble.retryAfterMs);
    });
    return {
      gone,
      send: (text) => {
        if (ended) return false;
        this.after(this.latency(), () => {
          if (this.link === link && !link.silent) this.receive(link, JSON.parse(text));
        });
        return true;
      },
      close: byClient,
      terminate: () => byClient(1006),
    };
  };

  /** Whether a client that thinks it is connected is right. */
  get isServing(): boolean {
    return this.link?.open === true && !this.link.silent && this.link.session !== undefined;
  }

  /** The session that is alive. */
  get present(): ModelSession | undefined {
    return this.session;
  }

  get isAvailable(): boolean {
    return this.trouble === undefined;
  }

  /** Something happens on Discord. Nobody listens to presences: they only take numbers. */
  happen(what: 'message' | 'voice' | 'presence'): void {
    const session = this.living();
    this.events += 1;
    const n = this.events;
    let name = 'PRESENCE_UPDATE';
    let d: object = { user: { id: '1' }, guild_id: GUILD_ID, status: 'online' };
    if (what === 'message') {
      name = 'MESSAGE_CREATE';
      d = { id: `${n}`, channel_id: '5', guild_id: GUILD_ID, author: { id: '7', username: 'a' }, content: `${n}` };
    } else if (what === 'voice') {
      name = 'VOICE_STATE_UPDATE';
      d = { ...this.move(), session_id: `${n}` };
    }
    if (session !== undefined) session.seq += 1;
    if (what !== 'presence') this.news.happened(n, session, session?.seq ?? 0);
    if (session !== undefined) this.emit(session, encode({ t: name, s: session.seq, op: 0, d }));
  }

  /** A frame that is no event. */
  raw(data: string | Uint8Array): void {
    const { link } = this;
    if (link?.session !== undefined) this.transmit(link, data);
  }

  /** The next frame that carries an event meets with that. */
  befall(fate: FrameFate | undefined): void {
    this.fate = fate;
  }

  /** Frames arrive no earlier than in `ms`. */
  stall(ms: number): void {
    if (this.link !== undefined) this.link.lastArrival = this.clock.now() + Math.ceil(ms);
  }

  /** The connection breaks without a farewell; what is under way is lost. */
  cut(): void {
    const { link } = this;
    if (link === undefined || !link.open) return;
    const wasSilent = link.silent;
    this.leave(link);
    if (!wasSilent) this.after(this.latency(), () => link.end(1006));
  }

  /** Discord closes. @param endsSession Whether it forgets the session as well. */
  close(code: number, endsSession: boolean): void {
    const { link } = this;
    if (link === undefined || !link.open || link.silent) return;
    if (endsSession) this.session = undefined;
    const arrival = Math.max(link.lastArrival, this.clock.now() + this.latency());
    this.after(arrival - this.clock.now(), () => link.end(code));
    this.leave(link, false);
  }

  invalidate(resumable: boolean): void {
    if (!resumable) this.session = undefined;
    this.raw(JSON.stringify({ t: null, s: null, op: 9, d: resumable }));
  }

  /** The line goes dead: no frame, no farewell, no answer. */
  silence(): void {
    const { link } = this;
    if (link === undefined || !link.open || link.session === undefined) return;
    link.silent = true;
    this.detach(link);
    this.news.linkBroke();
  }

  /** Nobody gets in. @param status HTTP status of the refusal, `undefined` when nothing listens. */
  fail(status: number | undefined, retryAfterMs?: number): void {
    if (this.trouble === undefined) this.news.availability(false);
    this.trouble = { status, retryAfterMs };
    this.cut();
  }

  recover(): void {
    if (this.trouble === undefined) return;
    this.trouble = undefined;
    this.news.availability(true);
  }

  private latency(): number {
    return 20 + Math.floor(this.random() * 40);
  }

  private after(ms: number, action: () => void): void {
    this.clock.setTimer(action, ms);
  }

  private move(): object {
    const userId = `${100 + Math.floor(this.random() * 40)}`;
    const channel = Math.floor(this.random() * 4);
    const channelId = channel === 0 ? null : `${10 + channel}`;
    if (channelId === null) this.truth.delete(userId);
    else this.truth.set(userId, channelId);
    const member = { user: { id: userId, username: `user-${userId}` } };
    return { guild_id: GUILD_ID, user_id: userId, channel_id: channelId, member };
  }

  private living(): ModelSession | undefined {
    const { session } = this;
    if (session !== undefined && this.clock.now() >= session.diesAt()) this.session = undefined;
    return this.session;
  }

  /** Sends an event to whoever is connected, unless something befalls it, and keeps it for a resume. */
  private emit(session: ModelSession, bytes: Uint8Array): void {
    const link = this.link?.session === session ? this.link : undefined;
    const fate = link === undefined ? undefined : this.fate;
    if (link !== undefined) this.fate = undefined;
    if (fate !== 'hole') session.log.push({ seq: session.seq, bytes });
    if (link === undefined) return;
    if (fate === 'half') {
      this.transmit(link, bytes.subarray(0, bytes.length >> 1));
      this.after(2 * this.latency(), () => this.cut());
      return;
    }
    const { swapped } = this;
    this.swapped = fate === 'swap' ? bytes : undefined;
    if (fate === 'lose' || fate === 'hole' || fate === 'swap') return;
    this.transmit(link, bytes);
    if (fate === 'duplicate' && this.lastFrame !== undefined) this.transmit(link, this.lastFrame);
    if (fate === 'duplicate') this.transmit(link, bytes);
    if (swapped !== undefined) this.transmit(link, swapped);
    this.lastFrame = bytes;
  }

  private transmit(link: Link, data: string | Uint8Array): void {
    if (!link.open || link.silent) return;
    this.counts.frames += 1;
    const now = this.clock.now();
    link.lastArrival = Math.max(link.lastArrival, now + this.latency());
    this.after(link.lastArrival - now, () => {
      if (link.open && !link.silent) link.events.onMessage(data, typeof data !== 'string');
    });
  }

  private greet(link: Link): void {
    if (this.ignore === 'hello') {
      this.ignore = undefined;
      return;
    }
    this.transmit(link, encode({ t: null, s: null, op: 10, d: { heartbeat_interval: HEARTBEAT_MS } }));
  }

  private receive(link: Link, { op, d }: { op: number; d: unknown }): void {
    const now = this.clock.now();
    // Docs, Gateway: Rate Limiting: 120 in 60 s.
    while ((link.sentAt[0] ?? now) < now - 60_000) link.sentAt.shift();
    link.sentAt.push(now);
    if (link.sentAt.length > 120) this.news.violation('more than 120 payloads in 60 s');
    if (op === 1) {
      const { session } = link;
      if (session !== undefined && typeof d === 'number') session.log = session.log.filter(({ seq }) => seq > d);
      this.transmit(link, encode({ t: null, s: null, op: 11, d: null }));
    } else if (op === 2) {
      this.identify(link);
    } else if (op === 6) {
      this.resume(link, d as { session_id: string; seq: number });
    } else if (link.session === undefined) {
      this.news.violation(`op ${op} before the session`);
    }
  }

  private identify(link: Link): void {
    this.counts.identifies += 1;
    const now = this.clock.now();
    // Docs, Gateway: Max Concurrency: one in 5 s. It may arrive a little sooner after the other than it was sent.
    if (now < this.identifiedAt + 4_900) this.news.violation('two IDENTIFYs within 5 s');
    this.identifiedAt = now;
    if (this.ignore === 'identify') {
      this.ignore = undefined;
      return;
    }
    this.sessions += 1;
    const session: ModelSession = {
      id: `session-${this.sessions}`,
      seq: 2,
      log: [],
      detachedAt: undefined,
      diesAt: () => (session.detachedAt ?? Number.POSITIVE_INFINITY) + SESSION_LIFE_MS,
    };
    this.session = session;
    link.session = session;
    const guilds = [{ id: GUILD_ID, unavailable: true }];
    const ready = { v: 10, user: BOT, session_id: session.id, resume_gateway_url: 'wss://resume.test', guilds };
    const voice_states = Array.from(this.truth, ([user_id, channel_id]) => ({ user_id, channel_id }));
    this.transmit(link, encode({ t: 'READY', s: 1, op: 0, d: ready }));
    const guild = { id: GUILD_ID, members: [], channels: [], voice_states };
    const bytes = encode({ t: 'GUILD_CREATE', s: 2, op: 0, d: guild });
    session.log.push({ seq: 2, bytes });
    this.transmit(link, bytes);
  }

  private resume(link: Link, { session_id: id, seq }: { session_id: string; seq: number }): void {
    this.counts.resumes += 1;
    const session = this.living();
    if (this.ignore === 'resume') {
      this.ignore = undefined;
      return;
    }
    if (session === undefined || session.id !== id || seq > session.seq) {
      this.counts.invalidSessions += 1;
      this.transmit(link, encode({ t: null, s: null, op: 9, d: false }));
      return;
    }
    this.counts.resumed += 1;
    session.detachedAt = undefined;
    session.log = session.log.filter((entry) => entry.seq > seq);
    link.session = session;
    for (const { bytes } of session.log) this.transmit(link, bytes);
    session.seq += 1;
    const resumed = encode({ t: 'RESUMED', s: session.seq, op: 0, d: {} });
    session.log.push({ seq: session.seq, bytes: resumed });
    this.transmit(link, resumed);
  }

  /** The client closed. Docs, Gateway: Disconnecting: 1000 and 1001 end the session. */
  private farewell(link: Link, code: number): void {
    if (link.session !== undefined && link.session === this.session && (code === 1000 || code === 1001)) {
      this.session = undefined;
    }
    this.leave(link);
  }

  /** @param atOnce Whether what is under way is lost. */
  private leave(link: Link, atOnce = true): void {
    if (!link.open) return;
    this.detach(link);
    if (this.link === link) this.link = undefined;
    this.news.linkBroke();
    if (atOnce) link.open = false;
    else {
      this.after(Math.max(0, link.lastArrival - this.clock.now()) + 100, () => {
        link.open = false;
      });
    }
  }

  private detach(link: Link): void {
    const { session } = link;
    link.session = undefined;
    if (session !== undefined) session.detachedAt ??= this.clock.now();
    this.swapped = undefined;
    this.lastFrame = undefined;
  }
}

function encode(payload: object): Uint8Array {
  return Buffer.from(JSON.stringify(payload));
}
