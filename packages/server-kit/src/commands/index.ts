/**
 * Commands of clients: a registry with checked input, roles, token buckets, idempotency, a bounded queue.
 *
 * @packageDocumentation
 */
export type { ErrorEntry } from '../errors.js';
export type { Principal } from '../principal.js';
export type { CommandAnswer, CommandRefusal, IncomingCommand } from '../shared/command.js';
export { type AnswerClaim, type AnswerClaimRequest, type AnswerStore, memoryAnswerStore } from './answer-store.js';
export { CommandBus } from './command-bus.js';
export type { CommandAudit, CommandBusOptions, CommandStats } from './command-bus-options.js';
export {
  type CommandContext,
  type CommandDefinition,
  type CommandLink,
  defineCommand,
  type InputSchema,
  type LinkedCommand,
} from './definition.js';
export {
  createDiscordCommands,
  type DiscordCommandCall,
  type DiscordCommandName,
  type DiscordCommandRest,
  type DiscordCommandsOptions,
} from './discord-commands.js';
export { COMMAND_ERRORS, CommandError, type CommandErrorCode } from './errors.js';
export type { BucketLimit, BucketResult } from './protocol/bucket.js';
export {
  createTokenBucket,
  memoryBucketStore,
  type TokenBucket,
  type TokenBucketOptions,
  type TokenBucketStore,
} from './token-bucket.js';
