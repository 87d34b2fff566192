/**
 * Discord voice and video.
 *
 * @packageDocumentation
 */
export { ENCRYPTION_MODES, type EncryptionMode } from '@guildkit/rtp';
export { DiscordRtcClient } from './client.js';
export { RTC_ERROR_REMEDIES, RtcError, type RtcErrorCode, type RtcErrorInit } from './errors.js';
