/**
 * The link between an app and a gateway service: events one way, commands the other, nothing lost and nothing done twice by
 * an outage.
 *
 * @packageDocumentation
 */
export type { ErrorEntry } from '../errors.js';
export type { SecretInput } from '../shared/secrets.js';
export { LINK_ERRORS, LinkError, type LinkErrorCode } from './errors.js';
export { LinkClient } from './link-client.js';
export type {
  CommandOptions,
  LinkClientEvents,
  LinkClientOptions,
  LinkClientStats,
  LinkSocket,
} from './link-client-options.js';
export { LinkServer } from './link-server.js';
export type { LinkCommand, LinkServerEvents, LinkServerOptions, LinkServerStats } from './link-server-options.js';
