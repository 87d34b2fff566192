/** Owns every error that the sandbox throws at its user. What Discord's clients get are Discord's own error bodies. */
import { GuildkitError, isErrorNamed } from '@guildkit/core';

/** Every code with what to do about it. */
export const SANDBOX_ERRORS = {
  ERR_SANDBOX_ADDRESS_REMOTE: 'Bind to 127.0.0.1 or ::1, or pass `allowRemote: true` (`--allow-remote`).',
  ERR_SANDBOX_PORT_UNAVAILABLE: 'Leave `port` out to get a free one, or stop what listens there.',
  ERR_SANDBOX_CLOSED: 'Create a new sandbox: this one was closed.',
  ERR_SANDBOX_AUTHORIZE_REFUSED:
    'Check `client_id` and `redirect_uri`: register the address with `sandbox.oauth.setRedirectUris`.',
  ERR_SANDBOX_CHANNEL_UNKNOWN: 'Use the id of a channel that exists: `sandbox.channels.list()`.',
  ERR_SANDBOX_CHANNEL_NOT_VOICE: 'Use the id of a voice or stage channel.',
  ERR_SANDBOX_CHANNEL_FULL: 'Raise the channel’s `user_limit`, or let someone leave first.',
  ERR_SANDBOX_CHANNEL_NOT_TEXT: 'Use the id of a channel that holds messages: not a category.',
  ERR_SANDBOX_DAVE_UNAVAILABLE: 'Install `@snazzah/davey`, or create the sandbox with `voice: { dave: false }`.',
  ERR_SANDBOX_INVITE_UNKNOWN: 'Use the code of an invite that is neither used up nor too old.',
  ERR_SANDBOX_MESSAGE_UNKNOWN: 'Use the id of a message that is there: `sandbox.channels.messages(channelId)`.',
  ERR_SANDBOX_MESSAGE_INVALID: 'A message has 1 to 2,000 characters, a reaction is one Unicode emoji.',
  ERR_SANDBOX_PERMISSION_MISSING:
    'Give the person the permission: `people.create({ permissions })`, a role, or an overwrite of the channel.',
  ERR_SANDBOX_PERSON_NOT_MEMBER: 'Call `joinGuild` first, or create the person without `member: false`.',
  ERR_SANDBOX_PERSON_UNKNOWN: 'Use the id of a person that was created: `sandbox.people.list()`.',
  ERR_SANDBOX_PERSON_NOT_CONNECTED: 'Call `joinVoice` first: only someone in voice can be moved or muted.',
} as const;

/** Code of a {@link SandboxError}. */
export type SandboxErrorCode = keyof typeof SANDBOX_ERRORS;

/** What the sandbox throws. Its code's remedy is in {@link SANDBOX_ERRORS}. */
export class SandboxError extends GuildkitError<SandboxErrorCode> {
  constructor(code: SandboxErrorCode, message: string, cause?: unknown) {
    super('SandboxError', message, { code, cause });
  }

  /** Whether a value is a SandboxError, of whichever copy or module format. */
  static override is(value: unknown): value is SandboxError {
    return isErrorNamed(value, 'SandboxError');
  }
}
