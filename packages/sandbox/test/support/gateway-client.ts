/** A gateway client without manners: sends what it is told, keeps what it gets. */
import { inflateSync } from 'node:zlib';
import type { Sandbox } from '@guildkit/sandbox';
import { WebSocket } from 'ws';
import { createDecoder } from './decoder.js';
import { checkAnswer, checkDispatch } from './strict.js';

export interface Frame {
  readonly op: number;
  readonly t: string | null;
  readonly s: number | null;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever Discord's payload holds
  readonly d: any;
}

export interface Closing {
  readonly code: number;
  readonly reason: string;
}

export class RawClient {
  readonly frames: Frame[] = [];
  readonly closed: Promise<Closing>;
  private readonly opened: Promise<void>;
  /** Why a compressed stream could not be read. */
  readonly spoilt: Promise<Error>;
  private undecodable: (error: Error) => void = () => {};
  private readonly followers: ((frame: Frame) => void)[] = [];
  private readonly waiting: { matches: (frame: Frame) => boolean; resolve: (frame: Frame) => void }[] = [];

  constructor(
    url: string,
    private readonly ws = new WebSocket(url),
  ) {
    const compression = new URL(url).searchParams.get('compress');
    this.opened = new Promise((resolve, reject) => {
      ws.once('open', () => resolve());
      ws.once('error', reject);
    });
    this.opened.catch(() => {});
    this.spoilt = new Promise((resolve) => {
      this.undecodable = resolve;
    });
    this.closed = new Promise((resolve) => {
      ws.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    const take = (text: string): void => this.take(JSON.parse(text) as Frame);
    const decode =
      compression === null ? undefined : createDecoder(compression, take, (error) => this.undecodable(error));
    ws.on('message', (data, isBinary) => {
      if (decode !== undefined) decode(data as Buffer);
      else take((isBinary ? inflateSync(data as Buffer) : data).toString());
    });
  }

  static to(sandbox: Sandbox, query = '?v=10&encoding=json'): RawClient {
    return new RawClient(`${sandbox.gatewayUrl}${query}`);
  }

  /** Connects and identifies; resolves with READY's data once every guild has come. */
  static async identified(
    sandbox: Sandbox,
    options: { intents?: number; token?: string; query?: string; d?: object } = {},
  ): Promise<RawClient> {
    const { intents = 129, token = sandbox.connection.token, query, d = {} } = options;
    const client = RawClient.to(sandbox, query);
    client.send({ op: 2, d: { token, intents, properties: {}, ...d } });
    const ready = await client.dispatch('READY');
    if ((intents & 1) !== 0 && ready.d.guilds.length > 0) await client.dispatch('GUILD_CREATE');
    return client;
  }

  send(payload: unknown): void {
    this.sendText(JSON.stringify(payload));
  }

  sendText(text: string | Buffer): void {
    void this.opened.then(
      () => this.ws.send(text, () => {}),
      () => {},
    );
  }

  /** Connects and asks to go on where another client was. */
  static resuming(sandbox: Sandbox, former: RawClient, query?: string): RawClient {
    const client = RawClient.to(sandbox, query);
    const { token } = sandbox.connection;
    client.send({ op: 6, d: { token, session_id: former.sessionId, seq: former.seq } });
    return client;
  }

  /** The first frame that fits, of those that came and those to come. */
  frame(matches: (frame: Frame) => boolean): Promise<Frame> {
    const had = this.frames.find(matches);
    if (had !== undefined) return Promise.resolve(had);
    return new Promise((resolve, reject) => {
      this.waiting.push({ matches, resolve });
      void this.closed.then(({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`)));
    });
  }

  /** Calls back for every frame that comes from now on. */
  follow(listener: (frame: Frame) => void): void {
    this.followers.push(listener);
  }

  op(op: number): Promise<Frame> {
    return this.frame((frame) => frame.op === op);
  }

  dispatch(name: string, fits: (d: Frame['d']) => boolean = () => true): Promise<Frame> {
    return this.frame((frame) => frame.t === name && fits(frame.d));
  }

  /** Answers to one heartbeat: everything sent before it has been dealt with. */
  async settled(): Promise<void> {
    const acks = this.frames.filter(({ op }) => op === 11).length;
    this.send({ op: 1, d: null });
    await this.frame((frame) => frame.op === 11 && this.frames.filter(({ op }) => op === 11).indexOf(frame) >= acks);
  }

  /** Names and numbers of the dispatches so far, in the order of arrival. */
  get dispatches(): readonly (readonly [string, number | null])[] {
    return this.frames.flatMap(({ t, s }) => (t === null ? [] : [[t, s] as const]));
  }

  get seq(): number {
    return Math.max(0, ...this.frames.map(({ s }) => s ?? 0));
  }

  get sessionId(): string {
    return this.frames.find(({ t }) => t === 'READY')?.d.session_id ?? '';
  }

  close(code = 4900): void {
    this.ws.close(code);
  }

  terminate(): void {
    this.ws.terminate();
  }

  private take(frame: Frame): void {
    if (frame.op === 0 && frame.t !== null) checkDispatch(frame.t, frame.d);
    this.frames.push(frame);
    for (const follower of this.followers) follower(frame);
    for (const wait of [...this.waiting]) {
      if (!wait.matches(frame)) continue;
      this.waiting.splice(this.waiting.indexOf(wait), 1);
      wait.resolve(frame);
    }
  }
}

/** One REST call; what it answers must have what strict clients read. */
export async function call(
  sandbox: Sandbox,
  method: string,
  path: string,
  init: {
    body?: unknown;
    text?: string;
    /** Sent as multipart. */
    form?: FormData;
    token?: string | null;
    headers?: Record<string, string>;
  } = {},
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the answer holds
): Promise<{ status: number; headers: Headers; body: any }> {
  const { body, text, form, token = sandbox.connection.token, headers = {} } = init;
  const sent = text ?? (body === undefined ? undefined : JSON.stringify(body));
  const response = await fetch(`${sandbox.connection.apiBase}${path}`, {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bot ${token}` }),
      ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(sent === undefined ? {} : { body: sent }),
    ...(form === undefined ? {} : { body: form }),
  });
  const answer = await response.text();
  const read = answer === '' ? undefined : JSON.parse(answer);
  checkAnswer(method, path, response.status, read);
  return { status: response.status, headers: response.headers, body: read };
}
