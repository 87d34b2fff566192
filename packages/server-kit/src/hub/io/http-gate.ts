/** Owns what every HTTP request to the hub goes through first: origin, method, preflight, whether there is room. */
import { randomUUID } from 'node:crypto';
import { toLogText } from '@guildkit/core';
import type { Access } from '../access.js';
import type { HubSettings } from '../options.js';
import type { HubCounters } from '../stats.js';
import {
  corsHeaders,
  type HttpAnswer,
  type HttpRefusal,
  type HttpRequest,
  hubRefusal,
  preflightAnswer,
  refusalAnswer,
} from './http-answers.js';

/** A request that was let through. */
export interface Passed {
  readonly requestId: string;
  /** For the answer, whatever it is. */
  readonly cors: Readonly<Record<string, string>>;
  /** An answer that refuses; counted and logged. */
  refuse(refusal: HttpRefusal): HttpAnswer;
}

/** A client's own id of a request, when it is one that a log line can hold. */
const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{7,127}$/;

/** An attack, or a limit that is too low. */
const WARNED: readonly string[] = ['ERR_HUB_ORIGIN_FORBIDDEN', 'ERR_HUB_CONNECTION_LIMIT'];

/** Who they are not, what they may not, too much, too often. */
const TOLD: readonly number[] = [401, 403, 413, 429];

/** Lets requests through or answers them. */
export class HttpGate {
  private readonly settings: HubSettings;
  private readonly counters: HubCounters;
  private readonly access: Access;
  private readonly isClosing: () => boolean;

  constructor(settings: HubSettings, counters: HubCounters, access: Access, isClosing: () => boolean) {
    this.settings = settings;
    this.counters = counters;
    this.access = access;
    this.isClosing = isClosing;
  }

  /** What lets the request go on, or its answer. */
  pass(request: HttpRequest, method: 'GET' | 'POST'): Passed | HttpAnswer {
    const { headers } = request;
    const given = headers.get('x-request-id');
    const requestId = given !== null && REQUEST_ID.test(given) ? given : randomUUID();
    const origin = headers.get('origin') ?? undefined;
    // A browser that leaves `Origin` out of a request between sites says so here: an image, a link.
    const isForeign = origin === undefined && headers.get('sec-fetch-site') === 'cross-site';
    if (isForeign || !this.access.allowsOrigin(origin, request)) {
      return this.refuse(requestId, {}, hubRefusal(403, 'ERR_HUB_ORIGIN_FORBIDDEN'), {
        origin: toLogText(origin ?? ''),
      });
    }
    if (request.method === 'OPTIONS') return preflightAnswer(origin, method);
    const cors = corsHeaders(origin);
    const refuse = (refusal: HttpRefusal): HttpAnswer => this.refuse(requestId, cors, refusal);
    if (request.method !== method) {
      const answer = refuse(hubRefusal(405, 'ERR_HUB_REQUEST_METHOD'));
      return { ...answer, headers: { ...answer.headers, allow: `${method}, OPTIONS` } };
    }
    if (this.isClosing()) return refuse(hubRefusal(503, 'ERR_HUB_DRAINING', { retryAfterMs: 1_000 }));
    return { requestId, cors, refuse };
  }

  private refuse(
    requestId: string,
    cors: Readonly<Record<string, string>>,
    refusal: HttpRefusal,
    more: Readonly<Record<string, string>> = {},
  ): HttpAnswer {
    const { status, code } = refusal;
    this.counters.refused(code);
    const level = WARNED.includes(code) ? 'warn' : TOLD.includes(status) ? 'info' : 'debug';
    this.settings.logger[level]({ requestId, status, code: toLogText(code), ...more }, 'hub refuses a request');
    return refusalAnswer(refusal, requestId, cors);
  }
}
