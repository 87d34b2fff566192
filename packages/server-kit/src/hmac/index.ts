/**
 * Signed webhooks: sign and verify, receive each event once, forward in order.
 *
 * @packageDocumentation
 */
export type { ErrorEntry } from '../errors.js';
export type { SecretInput } from '../shared/secrets.js';
export type { HeadersInput, WebhookForm } from './codec/signature.js';
export { HMAC_ERRORS, HmacError, type HmacErrorCode } from './errors.js';
export {
  WebhookForwarder,
  type WebhookForwarderEvents,
  type WebhookForwarderOptions,
  type WebhookForwarderStats,
} from './io/forwarder.js';
export type { DropCause } from './protocol/forwarder.js';
export {
  createWebhookReceiver,
  type WebhookReceiver,
  type WebhookReceiverOptions,
  type WebhookReceiverStats,
} from './receiver.js';
export { type MemoryReplayStoreOptions, memoryReplayStore, type ReplayStore } from './replay-store.js';
export { type SignOptions, signWebhook, type VerifyInput, verifyWebhook, type WebhookVerdict } from './verify.js';
export type { WebhookPosition } from './webhook-body.js';
