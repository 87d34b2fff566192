/** Owns topology B: each event a signed request to the app. */
import type { Logger } from '@guildkit/core';
import { WebhookForwarder } from '@guildkit/server-kit/hmac';
import type { Delivery, DeliveryListener } from './delivery.js';
import type { Topology } from './settings.js';

export function createWebhookDelivery(
  { endpoint, secrets }: Extract<Topology, { kind: 'webhook' }>,
  listener: DeliveryListener,
  logger: Logger,
): Delivery {
  const forwarder = new WebhookForwarder({ url: endpoint, secrets, logger });
  forwarder.on('delivered', ({ event }) => listener.taken(event.id));
  // What the end of this process drops, Discord tells the next one again.
  forwarder.on('dropped', ({ event, cause }) => cause !== 'closed' && listener.taken(event.id));
  return {
    deliver(event) {
      listener.sent(event.id);
      forwarder.forward(event);
    },
    health() {
      const { queued, delivered, retries, dropped, lastAnswerAt } = forwarder.stats();
      // A coalesced event is said by a later one.
      const lost = Object.values(dropped).reduce((sum, n) => sum + n, 0) - dropped.coalesced;
      return { kind: 'webhook', queued, delivered, retries, dropped: lost, lastAnswerAt };
    },
    tell() {
      // Webhooks carry Discord's events alone: the worker's own log and /health have the rest.
    },
    close: (drainMs) => forwarder.close({ drainMs }),
  };
}
