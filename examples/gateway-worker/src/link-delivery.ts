/** Owns topology C: the app dials, events go out and commands come in over one connection. */
import type { Server } from 'node:http';
import type { DomainEvent, Logger } from '@guildkit/core';
import { type LinkCommand, LinkServer } from '@guildkit/server-kit/link';
import type { Delivery, DeliveryListener } from './delivery.js';
import type { Topology } from './settings.js';

/** Where the app dials. */
export const LINK_PATH = '/link';

/** As many as the link keeps for an app that comes back. */
const MAX_UNHEARD = 10_000;

export interface LinkDeliveryOptions {
  readonly topology: Extract<Topology, { kind: 'link' }>;
  readonly server: Server;
  readonly onCommand: (command: LinkCommand) => Promise<unknown>;
  readonly listener: DeliveryListener;
  readonly logger: Logger;
}

export function createLinkDelivery({ topology, server, onCommand, listener, logger }: LinkDeliveryOptions): Delivery {
  const running = new Set<Promise<unknown>>();
  const link = new LinkServer({
    tokens: topology.tokens,
    onCommand(command) {
      const work = onCommand(command);
      running.add(work);
      const done = (): void => void running.delete(work);
      work.then(done, done);
      return work;
    },
    logger,
  });
  const detach = link.attach(server, { path: LINK_PATH });
  /** Published while no app was there: the link tells them when one is back. */
  let unheard: string[] = [];
  /** Before the first app came. A new process's link has no past that an app could resume: it would get the whole alone. */
  let early: DomainEvent[] | undefined = [];

  function publish(event: DomainEvent): void {
    link.publish(event);
    if (link.stats().peers > 0) listener.taken(event.id);
    else unheard.push(event.id);
    if (unheard.length > MAX_UNHEARD) listener.taken(unheard.shift() as string);
  }

  function publishEarly(): void {
    const events = early ?? [];
    early = undefined;
    for (const event of events) publish(event);
  }

  link.on('connected', () => {
    publishEarly();
    for (const id of unheard) listener.taken(id);
    unheard = [];
  });

  return {
    deliver(event) {
      listener.sent(event.id);
      if (early === undefined) {
        publish(event);
        return;
      }
      early.push(event);
      if (early.length > MAX_UNHEARD) publishEarly();
    },
    health() {
      const { peers, events, commands, unauthorized } = link.stats();
      const queued = (early?.length ?? 0) + unheard.length;
      return { kind: 'link', apps: peers, queued, delivered: events - unheard.length, commands, unauthorized };
    },
    tell(trouble) {
      if ('code' in trouble) link.tellError(trouble.code, trouble.message);
      else link.tellRateLimited(trouble.retryAfterMs);
    },
    async close(drainMs) {
      detach();
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, drainMs);
      });
      await Promise.race([Promise.allSettled(running), late]);
      clearTimeout(timer);
      await link.close();
    },
  };
}
