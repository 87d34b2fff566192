/**
 * The link between an app and a gateway service: events one way, commands the other, nothing lost and nothing done twice by
 * an outage.
 *
 * @packageDocumentation
 */
export type { ErrorEntry } from '../errors.js';
export type { SecretInput } from '../shared/secrets.js';
export { LINK_ERRORS, LinkError, type LinkErrorCode } from './errors.js';
export {
  type CommandOptions,
  LinkClient,
  type LinkClientEvents,
  type LinkClientOptions,
  type LinkClientStats,
  type LinkSocket,
} from './link-client.js';
export {
  type LinkCommand,
  LinkServer,
  type LinkServerEvents,
  type LinkServerOptions,
  type LinkServerStats,
} from './link-server.js';
