/** Owns how what happens is told: an event of the client and a line of its log side by side. Refuses to act on it. */
import { type Logger, messageOf } from '@guildkit/core';
import { GatewayError } from './errors.js';
import type { GatewayEvents } from './events.js';
import type { ShardNews } from './io/shard.js';

type Emit = <Name extends keyof GatewayEvents>(name: Name, event: GatewayEvents[Name]) => void;

/** Tells the user. */
export class Reporter {
  /** @param redact Takes the token out of a text. */
  constructor(
    private readonly log: Logger,
    private readonly redact: (text: string) => string,
    private readonly emit: Emit,
  ) {}

  /** Something went wrong, and it goes on. */
  error(error: GatewayError): void {
    this.log.warn({ code: error.code, shardId: error.shardId, error: this.redact(error.message) }, 'gateway error');
    this.emit('error', error);
  }

  /** Nothing can be done about it from here. */
  fatal(error: GatewayError, reason: string, code: number | undefined): void {
    const { shardId } = error;
    this.log.error({ shardId, reason, code, error: error.code }, 'gateway connection ended for good');
    this.emit('error', error);
  }

  alert(alert: GatewayEvents['alert']): void {
    this.log.error({ ...alert }, 'gateway cannot connect; it goes on trying');
    this.emit('alert', alert);
  }

  ready(event: GatewayEvents['ready']): void {
    this.log.info({ shardId: event.shardId, guilds: event.guildIds.length }, 'gateway session ready');
    this.emit('ready', event);
  }

  closed(event: GatewayEvents['closed']): void {
    this.log.info({ reason: event.reason }, 'gateway client closed');
    this.emit('closed', event);
  }

  /** What a shard says. */
  news(shardId: number, news: ShardNews): void {
    switch (news.type) {
      case 'phase': {
        const { from, to, cause } = news;
        const change = { shardId, from, to, reason: cause.reason, code: cause.code };
        this.log.info(change, 'gateway state changed');
        this.emit('stateChange', change);
        return;
      }
      case 'resumed': {
        const { replayed } = news;
        this.log.info({ shardId, replayed }, 'gateway session resumed');
        this.emit('resumed', { shardId, replayed });
        return;
      }
      case 'heartbeat':
        this.emit('heartbeat', { shardId, latencyMs: news.latencyMs });
        return;
      case 'gap': {
        const { expected, received, recovery } = news;
        const gap = { shardId, expected, received, recovery };
        this.log.warn(gap, 'gateway sequence has a gap');
        this.emit('gap', gap);
        return;
      }
      case 'alert':
        this.alert({ shardId, attempts: news.attempts, reason: news.cause.reason, code: news.cause.code });
        return;
      case 'degraded': {
        const outage = { shardId, outageMs: news.outageMs };
        this.log.warn(outage, 'gateway is out for long; what is known may be out of date');
        this.emit('degraded', outage);
        return;
      }
      case 'malformed':
        this.error(
          new GatewayError('ERR_GATEWAY_FRAME_MALFORMED', `A frame was skipped: ${news.problem}`, { shardId }),
        );
        return;
      case 'corrupt': {
        const what = `The compressed stream cannot be read: ${news.problem}`;
        this.error(new GatewayError('ERR_GATEWAY_STREAM_CORRUPT', what, { shardId }));
        return;
      }
      case 'failure':
        this.log.error({ shardId, error: this.redact(messageOf(news.error)) }, 'gateway shard: an action failed');
        return;
      default:
    }
  }
}
