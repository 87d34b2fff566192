/** Owns `/health` and `/metrics`: read by supervisors and operators, never by browsers. */
import { createServer, type Server } from 'node:http';
import type { GatewayHealth, SessionPhase } from '@guildkit/gateway';
import type { Metrics } from '@guildkit/server-kit/observability';
import type { DeliveryHealth } from './delivery.js';

/** What `/health` says. Times are unix ms. */
export interface WorkerHealth {
  /** `ok` while Discord is connected; the answer's status is 200 then, else 503. */
  readonly status: 'ok' | 'degraded' | 'stopping';
  readonly discord: {
    readonly state: GatewayHealth['state'];
    readonly since: number;
    readonly phase: SessionPhase | undefined;
    readonly sessionAgeSeconds: number | undefined;
    readonly heartbeatLatencyMs: number | undefined;
    readonly lastEventAt: number | undefined;
    readonly reconnects: number;
  };
  readonly delivery: DeliveryHealth;
  readonly uptimeSeconds: number;
}

export function createHealthServer(health: () => WorkerHealth, metrics: Metrics): Server {
  return createServer(async (request, response) => {
    response.setHeader('cache-control', 'no-store');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
      return;
    }
    switch ((request.url ?? '').split('?', 1)[0]) {
      case '/health': {
        const now = health();
        response.writeHead(now.status === 'ok' ? 200 : 503, { 'content-type': 'application/json' });
        response.end(request.method === 'HEAD' ? undefined : `${JSON.stringify(now)}\n`);
        return;
      }
      case '/metrics': {
        const page = await metrics.handler(new Request('http://worker/metrics'));
        response.writeHead(page.status, Object.fromEntries(page.headers)).end(await page.text());
        return;
      }
      default:
        response.writeHead(404).end();
    }
  });
}
