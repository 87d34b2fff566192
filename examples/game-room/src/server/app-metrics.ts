/** Owns what the app counts: parts that count for themselves are read when a page of metrics is made. Refuses ids as labels. */
import type { DiscordRestClient } from '@guildkit/rest';
import type { CommandAnswer, IncomingCommand } from '@guildkit/server-kit/commands';
import type { RealtimeHub } from '@guildkit/server-kit/hub';
import { type Metrics, runWithTrace } from '@guildkit/server-kit/observability';
import type { RoomService } from '@guildkit/server-kit/rooms';

export interface MeasuredParts {
  readonly metrics: Metrics;
  readonly hub: Pick<RealtimeHub, 'stats' | 'on'>;
  readonly rooms: Pick<RoomService, 'stats'>;
  readonly rest: Pick<DiscordRestClient, 'on'>;
  /** Commands that wait. */
  readonly queued: () => number;
  /** Whether Discord's events come. */
  readonly isConnected: () => boolean;
}

/** Connects the parts to the metrics. Called once. */
export function measureApp({ metrics, hub, rooms, rest, queued, isConnected }: MeasuredParts): void {
  rest.on('rateLimited', ({ kind }) => {
    if (kind === 'hit') metrics.count('rate_limits_total', { source: 'discord' });
  });
  rest.on('retry', ({ reason }) => metrics.count('retries_total', { what: reason }));

  hub.on('roundTrip', ({ ms }) => metrics.observe('socket_round_trip_seconds', { transport: 'ws' }, ms / 1_000));
  hub.on('streamsFlushed', ({ ms }) => metrics.observe('sse_flush_seconds', {}, ms / 1_000));

  /** What a counter that counts for itself has grown by since the last look. */
  const seen = new Map<string, number>();
  const grown = (key: string, now: number): number => {
    const by = now - (seen.get(key) ?? 0);
    seen.set(key, now);
    return by;
  };
  metrics.onCollect(() => {
    const { connections, framesIn, framesOut, published, closes, errors } = hub.stats();
    metrics.set('connections', { transport: 'ws' }, connections);
    metrics.count('messages_total', { direction: 'in', type: 'frame' }, grown('in', framesIn));
    metrics.count('messages_total', { direction: 'out', type: 'frame' }, grown('out', framesOut));
    metrics.count('messages_total', { direction: 'out', type: 'event' }, grown('published', published));
    for (const [code, count] of Object.entries(closes))
      metrics.count('connections_closed_total', { code }, grown(`close ${code}`, count));
    for (const [code, count] of Object.entries(errors)) {
      const by = grown(code, count);
      if (by > 0) metrics.count('refusals_total', { code }, by);
    }
    metrics.set('rooms_open', {}, rooms.stats().open);
    metrics.set('queue_depth', { queue: 'commands' }, queued());
    metrics.set('gateway_connected', { shard: 'all' }, isConnected() ? 1 : 0);
  });
}

/** Routes by the beginning of their paths: a path itself would be a label without end. */
const ROUTES: readonly (readonly [RegExp, string])[] = [
  [/^\/$/, '/'],
  [/^\/(room|join)\/[^/]+$/, '/$1/:id'],
  [/^\/(ops|health|metrics)$/, '/$1'],
  [/^\/(assets|_serverFn|auth|\.well-known)\/.*$/s, '/$1/*'],
  [/^\/api\/(token|ops|create-room|commands|internal\/events)$/, '/api/$1'],
  [/^\/api\/(end-room)\/[^/]+$/, '/api/$1/:id'],
];

/** The route of a path, as a label. */
export function routeOf(pathname: string): string {
  const [pattern, name] = ROUTES.find(([each]) => each.test(pathname)) ?? [/^.*$/s, 'other'];
  return pathname.replace(pattern, name);
}

/**
 * Times commands as they pass, and lets what they lead to bear their trace ids. What a client calls a command that there is
 * not is no label.
 */
export function timeCommands(
  metrics: Pick<Metrics, 'observe'>,
  handle: (command: IncomingCommand) => Promise<CommandAnswer>,
): (command: IncomingCommand) => Promise<CommandAnswer> {
  return async (command) => {
    const begun = performance.now();
    const answer = await runWithTrace(command.traceId, () => handle(command));
    const outcome = answer.ok ? 'ok' : answer.error.code;
    const name = outcome === 'ERR_COMMAND_UNKNOWN' ? 'unknown' : command.name;
    metrics.observe('command_seconds', { command: name, outcome }, (performance.now() - begun) / 1_000);
    return answer;
  };
}
