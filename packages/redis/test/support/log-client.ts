/** Clients of `@guildkit/realtime-client` that keep all they were told, to be compared with the log. */
import { RealtimeClient, type Room, sseTransport, type Transport, webSocketTransport } from '@guildkit/realtime-client';

/** A stretch of one room's log as a client has it: the state at `from`, then one event after the other. */
export interface Stretch {
  readonly epoch: string;
  readonly from: number;
  /** Ids of the events from + 1, from + 2, … */
  readonly ids: string[];
}

/** Where a client connects to; `fate` is read when the connection is lost. */
export interface Backend {
  readonly port: number;
  readonly fate?: 'running' | 'drained' | 'killed';
}

/** A connection that was lost and is whole again. */
export interface Recovery {
  readonly cause: 'running' | 'drained' | 'killed' | 'unreached';
  readonly ms: number;
}

export interface LogClientOptions {
  readonly kind: 'socket' | 'stream';
  readonly user: string;
  readonly rooms: readonly string[];
  /** Chooses a process for each connection, as a load balancer would. */
  readonly pick: () => Backend | undefined;
}

export class LogClient {
  /** What each room told, in order: a new stretch begins where the client was told that it may have missed something. */
  readonly told = new Map<string, Stretch[]>();
  readonly recoveries: Recovery[] = [];
  /** Anything that must not be. */
  broken: string | undefined;
  private readonly client: RealtimeClient;
  private readonly rooms: Room[] = [];
  private backend: Backend | undefined;
  private lost: { readonly at: number; readonly cause: Recovery['cause'] } | undefined;
  private wasOpen = false;

  constructor({ kind, user, rooms, pick }: LogClientOptions) {
    const transport: Transport = {
      connect: (handlers, hint) => {
        this.backend = pick();
        if (this.backend === undefined) {
          setImmediate(() => handlers.onClose({ code: 1006, reason: '' }));
          return { send: () => {}, close: () => {} };
        }
        const at = `http://127.0.0.1:${this.backend.port}/api`;
        const made =
          kind === 'socket' ? webSocketTransport({ url: `${at}/ws` }) : sseTransport({ url: `${at}/stream` });
        return made.connect(handlers, hint);
      },
    };
    this.client = new RealtimeClient({
      transport,
      getToken: () => user,
      maxAttempts: Number.POSITIVE_INFINITY,
      timeoutMs: 30_000,
    });
    this.client.subscribeState(() => this.onChange());
    for (const name of rooms) {
      const stretches: Stretch[] = [];
      this.told.set(name, stretches);
      const room = this.client.room(name);
      this.rooms.push(room);
      room.subscribe(() => this.onChange());
      room.on('sys.snapshot', ({ epoch, seq }) => {
        stretches.push({ epoch, from: seq, ids: [] });
      });
      room.on('*', (payload, { event, seq }) => {
        if ((event as string) === 'sys.snapshot') return;
        const last = stretches.at(-1);
        if (last === undefined || seq !== last.from + last.ids.length + 1) {
          this.complain(
            `${name}: ${event} with seq ${seq} after ${last === undefined ? 'nothing' : last.from + last.ids.length}`,
          );
        }
        last?.ids.push(String((payload as { id?: unknown }).id));
      });
    }
  }

  connect(): void {
    this.client.connect();
  }

  close(): void {
    this.client.close();
  }

  /** Connected, and every room as the hub has it: a hub that cannot read a room puts its answer off. */
  get isOpen(): boolean {
    return this.client.state.status === 'open' && this.rooms.every(({ status }) => status === 'live');
  }

  /** How far it is in a room. */
  position(room: string): { readonly epoch: string; readonly seq: number } | undefined {
    const last = this.told.get(room)?.at(-1);
    return last && { epoch: last.epoch, seq: last.from + last.ids.length };
  }

  private onChange(): void {
    const { status, lastError } = this.client.state;
    if (status === 'closed' || status === 'manual')
      this.complain(`${status}: ${lastError?.code} ${lastError?.closeCode}`);
    if (this.isOpen) {
      if (this.lost !== undefined) {
        this.recoveries.push({ cause: this.lost.cause, ms: performance.now() - this.lost.at });
      }
      this.lost = undefined;
      this.wasOpen = true;
      return;
    }
    // A room that catches up on an open connection is none that was lost.
    if (!this.wasOpen || this.lost !== undefined || status === 'open') return;
    this.lost = {
      at: performance.now(),
      cause: this.backend === undefined ? 'unreached' : (this.backend.fate ?? 'running'),
    };
  }

  private complain(what: string): void {
    this.broken ??= what;
  }
}
