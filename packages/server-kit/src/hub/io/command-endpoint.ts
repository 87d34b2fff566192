/** Owns `POST /api/commands`: commands, and the positions of streams, each authenticated by itself and bounded for each user. */
import type { CommandFrame, PongFrame } from '@guildkit/core/wire';
import { WIRE_VERSION } from '@guildkit/core/wire';
import { postedFrameSchema } from '@guildkit/core/wire/schema';
import type { CommandAnswer } from '../../shared/command.js';
import { bearerOf } from '../../shared/upgrade.js';
import type { Access } from '../access.js';
import type { HubSettings } from '../options.js';
import { type FrameBudget, fullBudget, takeToken } from '../protocol/frame-budget.js';
import { frameBurst } from '../protocol/session.js';
import type { HubCounters } from '../stats.js';
import type { CommandRequest, HubConnection } from './connection-host.js';
import { type HttpAnswer, type HttpRequest, hubRefusal, jsonAnswer } from './http-answers.js';
import type { HttpGate, Passed } from './http-gate.js';

/** The text of a body, or why there is none. */
export type BodyText =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tooLarge' }
  /** The peer went away, or the body is no UTF-8. */
  | { readonly kind: 'unreadable' };

/** A request with a body. */
export interface PostRequest extends HttpRequest {
  /** Never rejects. */
  readText(maxBytes: number): Promise<BodyText>;
}

/** What the endpoint asks of its hub. */
export interface CommandHost {
  readonly settings: HubSettings;
  readonly counters: HubCounters;
  readonly access: Access;
  readonly gate: HttpGate;
  command(request: CommandRequest): Promise<CommandAnswer>;
  find(connectionId: string): HubConnection | undefined;
}

interface Poster {
  budget: FrameBudget;
  pending: number;
}

/** Posters are looked through for ones to forget when there are so many. */
const SWEEP_AT = 1_000;

/** Takes what is posted. */
export class CommandEndpoint {
  private readonly host: CommandHost;
  private readonly posters = new Map<string, Poster>();
  private sweepAt = SWEEP_AT;

  constructor(host: CommandHost) {
    this.host = host;
  }

  /** Answers one request. Never rejects. */
  async serve(request: PostRequest): Promise<HttpAnswer> {
    const { access, gate, settings, counters } = this.host;
    const passed = gate.pass(request, 'POST');
    if ('status' in passed) return passed;
    const { headers, url } = request;
    if (!isPlainJson(headers)) return passed.refuse(hubRefusal(415, 'ERR_HUB_REQUEST_INVALID'));
    const outcome = await access.authenticate({ token: bearerOf(headers), headers, url });
    if (!('principal' in outcome)) {
      if (!outcome.unavailable) return passed.refuse(hubRefusal(401, 'ERR_HUB_AUTH_REFUSED'));
      return passed.refuse(hubRefusal(503, 'ERR_HUB_AUTH_UNAVAILABLE', { retryAfterMs: 1_000 }));
    }
    const { principal } = outcome;
    if (principal.expiresAt <= settings.clock.wallTime()) return passed.refuse(hubRefusal(401, 'ERR_HUB_AUTH_EXPIRED'));
    const poster = this.take(principal.userId);
    if (poster === undefined) return passed.refuse(hubRefusal(429, 'ERR_HUB_FRAME_RATE', { retryAfterMs: 1_000 }));
    const body = await request.readText(settings.maxFrameBytes);
    if (body.kind === 'tooLarge') return passed.refuse(hubRefusal(413, 'ERR_HUB_FRAME_TOO_LARGE'));
    if (body.kind === 'unreadable') return passed.refuse(hubRefusal(400, 'ERR_HUB_REQUEST_INVALID'));
    counters.framesIn += 1;
    const frame = parsePosted(body.text);
    if ('problem' in frame) {
      const fields = [{ path: frame.problem, message: 'does not fit' }];
      return passed.refuse(hubRefusal(400, 'ERR_HUB_FRAME_INVALID', { fields }));
    }
    if (frame.type === 'command') return this.command(passed, poster, { principal, frame });
    const { connectionId } = frame.payload;
    const connection = connectionId === undefined ? undefined : this.host.find(connectionId);
    // Of another user: as if there were none.
    if (connection?.userId !== principal.userId) return passed.refuse(hubRefusal(404, 'ERR_HUB_STREAM_UNKNOWN'));
    connection.renew(principal);
    connection.report(frame.payload);
    return { status: 204, headers: { 'cache-control': 'no-store', ...passed.cors }, body: '' };
  }

  private async command(
    passed: Passed,
    poster: Poster,
    { principal, frame }: { principal: CommandRequest['principal']; frame: CommandFrame },
  ): Promise<HttpAnswer> {
    const { settings, command } = this.host;
    if (poster.pending >= settings.maxPendingCommands) {
      return passed.refuse(hubRefusal(429, 'ERR_HUB_COMMAND_LIMIT', { retryAfterMs: 1_000 }));
    }
    poster.pending += 1;
    const { id, payload } = frame;
    const { name, input } = payload;
    const answer = await command({ principal, id, name, input, connectionId: undefined });
    poster.pending -= 1;
    if (!answer.ok) return passed.refuse(answer.error);
    const { result = null, latencyMs } = answer;
    const ts = settings.clock.wallTime();
    const envelope = { v: WIRE_VERSION, type: 'ack', event: 'command', payload: { result, latencyMs }, ts, re: id };
    return jsonAnswer(200, envelope, { 'x-request-id': passed.requestId, ...passed.cors });
  }

  /** Takes one of the user's posts; `undefined` when there is none. */
  private take(userId: string): Poster | undefined {
    const { settings } = this.host;
    const now = settings.clock.now();
    const burst = frameBurst(settings);
    const poster = this.posters.get(userId) ?? { budget: fullBudget(burst, now), pending: 0 };
    const budget = takeToken(poster.budget, now, settings.maxFramesPerSecond, burst);
    if (budget === undefined) return undefined;
    poster.budget = budget;
    this.posters.set(userId, poster);
    if (this.posters.size > this.sweepAt) this.sweep(now, burst);
    return poster;
  }

  /** Forgets those whose budget is full again: they are as if they had never come. */
  private sweep(now: number, burst: number): void {
    const { maxFramesPerSecond } = this.host.settings;
    for (const [userId, { budget, pending }] of this.posters) {
      const tokens = budget.tokens + ((now - budget.at) * maxFramesPerSecond) / 1_000;
      if (pending === 0 && tokens >= burst) this.posters.delete(userId);
    }
    this.sweepAt = Math.max(SWEEP_AT, this.posters.size * 2);
  }
}

/** Other types a page of any origin may post without asking first; a compressed body may hold any size. */
function isPlainJson(headers: Headers): boolean {
  const encoding = headers.get('content-encoding') ?? 'identity';
  return /^application\/json *(;|$)/i.test(headers.get('content-type') ?? '') && encoding === 'identity';
}

function parsePosted(text: string): CommandFrame | PongFrame | { readonly problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: '' };
  }
  const result = postedFrameSchema.safeParse(value);
  if (result.success) return result.data;
  // Where, not what: the value is the client's own text.
  return { problem: (result.error.issues[0]?.path.map(String).join('.') ?? '').slice(0, 100) };
}
