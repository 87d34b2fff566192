/** Owns the names of what is measured, with unit and labels. Refuses labels that grow with users: no ids. */

/** One row of {@link METRICS}. */
export interface MetricRow {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
}

/** Seconds, from half a millisecond to ten seconds. */
const LATENCY = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Everything that `createMetrics()` knows, in Prometheus' naming: base units, `_total` for counters. */
export const METRICS = {
  discord_events_total: { kind: 'counter', help: 'Discord events by name.', labels: ['event'] },
  discord_event_delay_seconds: {
    kind: 'histogram',
    help: 'From when the gateway saw an event until it was counted here.',
    labels: [],
    buckets: LATENCY,
  },
  voice_changes_total: { kind: 'counter', help: 'People who joined, left or moved.', labels: ['change'] },
  messages_total: { kind: 'counter', help: 'Messages to and from clients.', labels: ['direction', 'type'] },
  connections: { kind: 'gauge', help: 'Open connections.', labels: ['transport'] },
  connections_closed_total: { kind: 'counter', help: 'Closed connections by close code.', labels: ['code'] },
  socket_round_trip_seconds: {
    kind: 'histogram',
    help: 'From a ping to its pong.',
    labels: ['transport'],
    buckets: LATENCY,
  },
  sse_flush_seconds: {
    kind: 'histogram',
    help: 'From publishing to the write of a stream.',
    labels: [],
    buckets: LATENCY,
  },
  queue_depth: { kind: 'gauge', help: 'What waits, by queue.', labels: ['queue'] },
  command_seconds: {
    kind: 'histogram',
    help: 'From a command to its result.',
    labels: ['command', 'outcome'],
    buckets: LATENCY,
  },
  rate_limits_total: { kind: 'counter', help: 'Rate limits that were hit, by who set them.', labels: ['source'] },
  retries_total: { kind: 'counter', help: 'Tries after a failure.', labels: ['what'] },
  refusals_total: { kind: 'counter', help: 'Requests and frames that were refused, by error code.', labels: ['code'] },
  gateway_connected: { kind: 'gauge', help: '1 while the shard is connected.', labels: ['shard'] },
  http_request_seconds: {
    kind: 'histogram',
    help: 'HTTP requests by route and status.',
    labels: ['method', 'route', 'status'],
    buckets: LATENCY,
  },
  rooms_open: { kind: 'gauge', help: 'Rooms that are open.', labels: [] },
} as const satisfies Record<string, MetricRow>;

/** Name of a metric. */
export type MetricName = keyof typeof METRICS;

/** Names of one kind. */
export type MetricOf<Kind extends MetricRow['kind']> = {
  [N in MetricName]: (typeof METRICS)[N]['kind'] extends Kind ? N : never;
}[MetricName];

/** The labels of a metric, each a text. */
export type LabelsOf<N extends MetricName> = Readonly<Record<(typeof METRICS)[N]['labels'][number], string>>;
