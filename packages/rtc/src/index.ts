/**
 * Discord voice and video.
 *
 * @packageDocumentation
 */
export { ENCRYPTION_MODES, type EncryptionMode } from '@guildkit/rtp';
