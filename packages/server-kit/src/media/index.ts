/**
 * Encoded audio and video between pages and seats in voice channels.
 *
 * @packageDocumentation
 */
export type { ErrorEntry } from '../errors.js';
export type { Principal } from '../principal.js';
export type { AuthContext, OriginRequest, Origins } from '../shared/upgrade.js';
export { MEDIA_ERRORS, type MediaErrorCode } from './errors.js';
export { MediaRelay, type MediaRelayOptions, type MediaStats, type SeatRequest } from './media-relay.js';
export type { FromUser, MediaSeat, SeatAudio, SeatVideo } from './seat.js';
