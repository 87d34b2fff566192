/**
 * Discord's HTTP API with rate-limit queue, retries and typed methods.
 *
 * @packageDocumentation
 */
export { DiscordRestClient } from './client.js';
export {
  DiscordApiError,
  DiscordRestError,
  type InputIssue,
  InvalidInputError,
  InvalidRequestBudgetError,
  NetworkError,
  RateLimitError,
  REST_ERROR_REMEDIES,
  RequestAbortedError,
  type RequestFacts,
  type RequestPhase,
  RequestTimeoutError,
  type RestErrorCode,
  type RestErrorInit,
} from './errors.js';
export type {
  BucketEvent,
  InvalidRequestEvent,
  RateLimitedEvent,
  ResponseEvent,
  RestEvents,
  RetryEvent,
} from './events.js';
export type { PermissionOverwriteInput } from './input.js';
export type {
  AttemptOutcome,
  RequestOutcome,
  RestInstrumentation,
  TracedAttempt,
  TracedRequest,
} from './instrumentation.js';
export type { RestStats } from './io/executor.js';
export { createFetchTransport, type FetchFunction, type FetchResponse } from './io/fetch-transport.js';
export type { Transport, TransportRequest, TransportResponse } from './io/transport.js';
export type { ChannelEdit, VoiceChannelInput } from './methods/channels.js';
export type { InviteInput } from './methods/invites.js';
export type { MemberEdit, MemberMove, MemberRef, MemberRoleRef, NewMember } from './methods/members.js';
export type { MessageEdit, MessageInput, MessageQuery } from './methods/messages.js';
export type { CodeExchange, OAuth2Client, TokenRefresh, TokenRevocation } from './methods/oauth2.js';
export type { RoleEdit, RoleInput, RoleRef } from './methods/roles.js';
export type {
  Auth,
  CallOptions,
  DiscordRestClientOptions,
  HttpMethod,
  QueryValue,
  RequestFile,
  RequestOptions,
  ResponseSchema,
} from './options.js';
export type { FieldError } from './protocol/api-error-body.js';
export type { RateLimitScope, ResponseHeaders } from './protocol/rate-limit-headers.js';
export {
  createMemoryRateLimitStore,
  type LearnedBucket,
  type RateLimitHold,
  type RateLimitSlot,
  type RateLimitStore,
} from './rate-limit-store.js';
