/** Owns the counters and their page for Prometheus, on prom-client. Refuses endless label values. */
import { type Clock, check, type DomainEvent, resolveOptions, systemClock, toLogText } from '@guildkit/core';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { refusalResponse, requestIdOf } from '../shared/safe-response.js';
import { sameText } from '../shared/same-text.js';
import { type LabelsOf, METRICS, type MetricName, type MetricOf, type MetricRow } from './metric-table.js';

/** Settings of {@link createMetrics}. */
export interface MetricsOptions {
  /** Stands before every name. @defaultValue `'guildkit_'` */
  readonly prefix?: string | undefined;
  /** Also memory, event loop and garbage collection of the process. @defaultValue true */
  readonly processMetrics?: boolean | undefined;
  /** When given, the page asks for it as `Authorization: Bearer`. */
  readonly token?: string | undefined;
  /** Label combinations of one metric; further ones count as `other`. @defaultValue 500 */
  readonly maxSeries?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** Counts, and serves what was counted. */
export interface Metrics {
  /** Adds to a counter. */
  count<N extends MetricOf<'counter'>>(name: N, labels: LabelsOf<N>, by?: number): void;
  /** Sets a gauge. */
  set<N extends MetricOf<'gauge'>>(name: N, labels: LabelsOf<N>, value: number): void;
  /** Takes a measurement into a histogram, in the unit of its name. */
  observe<N extends MetricOf<'histogram'>>(name: N, labels: LabelsOf<N>, value: number): void;
  /** Counts a Discord event. Bound: `gateway.onEvent('*', metrics.countDomainEvent)`. */
  readonly countDomainEvent: (event: DomainEvent) => void;
  /** Called before each page: the place to set gauges from `stats()`. Returns a function that removes it. */
  onCollect(collect: () => void | Promise<void>): () => void;
  /** The page as text. */
  text(): Promise<string>;
  /** Serves `GET /metrics`. Never rejects. */
  handler(request: Request): Promise<Response>;
}

interface Settings {
  readonly prefix: string;
  readonly processMetrics: boolean;
  readonly token: string | undefined;
  readonly maxSeries: number;
  readonly clock: Clock;
}

const DEFAULTS: Settings = {
  prefix: 'guildkit_',
  processMetrics: true,
  token: undefined,
  maxSeries: 500,
  clock: systemClock,
};

type Instrument = Counter | Gauge | Histogram;

/** Voice events that change who is where. */
const VOICE_CHANGES: Readonly<Record<string, string>> = {
  'voice.joined': 'joined',
  'voice.left': 'left',
  'voice.moved': 'moved',
};

/**
 * Creates a registry of its own: two apps in one process do not share counters.
 *
 * @throws TypeError on options out of range.
 */
export function createMetrics(options?: MetricsOptions): Metrics {
  const { prefix, processMetrics, token, maxSeries, clock } = resolveOptions('createMetrics', DEFAULTS, options, {
    prefix: (value) =>
      typeof value === 'string' && /^([a-zA-Z_][a-zA-Z0-9_]*)?$/.test(value)
        ? undefined
        : 'must be letters, digits and _',
    processMetrics: check.boolean(),
    maxSeries: check.integer(1),
  });
  const registry = new Registry();
  if (processMetrics) collectDefaultMetrics({ register: registry, prefix });
  const instruments = new Map<string, Instrument>();
  const series = new Map<string, Set<string>>();
  const collectors = new Set<() => void | Promise<void>>();
  for (const [name, row] of Object.entries(METRICS)) {
    instruments.set(name, create(row, `${prefix}${name}`, registry));
    series.set(name, new Set());
  }

  /** Label values are bounded in number and length: a peer that can choose one must not fill the memory. */
  function safeLabels(name: MetricName, labels: Readonly<Record<string, string>>): Record<string, string> {
    const safe = Object.fromEntries(
      METRICS[name].labels.map((label) => [label, toLogText(String(labels[label] ?? ''), 64)]),
    );
    const known = series.get(name) as Set<string>;
    const key = JSON.stringify(safe);
    if (known.has(key)) return safe;
    if (known.size >= maxSeries) return Object.fromEntries(Object.keys(safe).map((label) => [label, 'other']));
    known.add(key);
    return safe;
  }

  const count: Metrics['count'] = (name, labels, by = 1) => {
    if (Number.isFinite(by) && by >= 0) (instruments.get(name) as Counter).inc(safeLabels(name, labels), by);
  };
  const set: Metrics['set'] = (name, labels, value) => {
    if (Number.isFinite(value)) (instruments.get(name) as Gauge).set(safeLabels(name, labels), value);
  };
  const observe: Metrics['observe'] = (name, labels, value) => {
    if (Number.isFinite(value)) (instruments.get(name) as Histogram).observe(safeLabels(name, labels), value);
  };

  async function text(): Promise<string> {
    for (const collect of collectors) {
      try {
        await collect();
      } catch {
        // One source that fails must not hide the others; its gauges stay as they were.
      }
    }
    return registry.metrics();
  }

  return {
    count,
    set,
    observe,
    countDomainEvent: (event) => {
      count('discord_events_total', { event: event.event });
      const change = VOICE_CHANGES[event.event];
      if (change !== undefined) count('voice_changes_total', { change });
      observe('discord_event_delay_seconds', {}, Math.max(0, clock.wallTime() - event.ts) / 1000);
    },
    onCollect(collect) {
      collectors.add(collect);
      return () => collectors.delete(collect);
    },
    text,
    async handler(request) {
      const requestId = requestIdOf(request);
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        return refusalResponse({ status: 405, code: 'ERR_HTTP_METHOD_UNKNOWN', message: 'Send GET.' }, requestId, {
          allow: 'GET, HEAD',
        });
      }
      if (token !== undefined && !sameText(request.headers.get('authorization') ?? '', `Bearer ${token}`)) {
        const refusal = { status: 401, code: 'ERR_HTTP_AUTH_REQUIRED', message: 'Authentication is required.' };
        return refusalResponse(refusal, requestId, { 'www-authenticate': 'Bearer' });
      }
      const headers = { 'content-type': registry.contentType, 'cache-control': 'no-store' };
      return new Response(request.method === 'HEAD' ? null : await text(), { headers });
    },
  };
}

function create(row: MetricRow, name: string, registry: Registry): Instrument {
  const { help, labels, buckets } = row;
  const settings = { name, help, labelNames: [...labels], registers: [registry] };
  if (row.kind === 'counter') return new Counter(settings);
  if (row.kind === 'gauge') return new Gauge(settings);
  return new Histogram({ ...settings, buckets: [...(buckets ?? [])] });
}
