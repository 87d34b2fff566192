/** A client without network: sockets that a test plays, in virtual time. */
import {
  DiscordGatewayClient,
  type DiscordGatewayClientOptions,
  type OpenSocket,
  type SocketEvents,
} from '@guildkit/gateway';
import { createVirtualClock } from '@guildkit/testkit';

export const TOKEN = 'MTIzNDU2Nzg5.secret-token.never-shown';

/** One socket that the client opened. */
export interface FakeSocket {
  readonly url: string;
  readonly sent: { op: number; d: unknown }[];
  /** How the client ended it: a close code, or 'terminated'. */
  ended: number | 'terminated' | undefined;
  receive(payload: unknown): void;
  raw(data: string | Uint8Array): void;
  close(code: number): void;
  refuse(status: number, retryAfterMs?: number): void;
}

export function fakeGateway(options: Partial<DiscordGatewayClientOptions> = {}) {
  const clock = createVirtualClock();
  const sockets: FakeSocket[] = [];
  const openSocket: OpenSocket = (url, events: SocketEvents) => {
    let settle: () => void = () => {};
    const gone = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const socket: FakeSocket = {
      url,
      sent: [],
      ended: undefined,
      receive: (payload) => events.onMessage(JSON.stringify(payload), false),
      raw: (data) => events.onMessage(data, typeof data !== 'string'),
      close(code) {
        settle();
        events.onClose(code);
      },
      refuse(status, retryAfterMs) {
        settle();
        events.onRefused(status, retryAfterMs);
      },
    };
    sockets.push(socket);
    const end = (how: number | 'terminated'): void => {
      socket.ended = how;
      settle();
    };
    return {
      gone,
      send(text) {
        if (socket.ended !== undefined) return false;
        socket.sent.push(JSON.parse(text));
        return true;
      },
      close: end,
      terminate: () => end('terminated'),
    };
  };
  const client = new DiscordGatewayClient({
    token: TOKEN,
    intents: ['GuildVoiceStates'],
    fetchGatewayInfo: async () => ({
      url: 'wss://gateway.test',
      shards: 1,
      session_start_limit: { total: 1000, remaining: 1000, reset_after: 0, max_concurrency: 1 },
    }),
    openSocket,
    clock,
    random: () => 0.5,
    ...options,
  });

  const last = (): FakeSocket => {
    const socket = sockets.at(-1);
    if (socket === undefined) throw new Error('no socket was opened');
    return socket;
  };

  return {
    clock,
    client,
    sockets,
    last,
    /** Connects up to READY. */
    async connect(data: object = {}): Promise<FakeSocket> {
      const connected = client.connect();
      while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
      last().receive({ op: 10, d: { heartbeat_interval: 40_000 } });
      await clock.advance(0);
      last().receive({
        op: 0,
        t: 'READY',
        s: 1,
        d: {
          user: { id: '42' },
          session_id: 'session-1',
          resume_gateway_url: 'wss://resume.test',
          guilds: [],
          ...data,
        },
      });
      await connected;
      return last();
    },
  };
}
