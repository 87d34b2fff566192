/** Owns the package's errors: one class, one closed set of codes, a remedy for each. */
import { GuildkitError, isErrorNamed } from '@guildkit/core';
import type { FatalVoiceCloseCode } from './protocol/voice-close-codes.js';
import type { EndCause, VoiceCause } from './protocol/voice-types.js';

/** What to do about each error. The messages end with it. */
export const RTC_ERROR_REMEDIES = {
  ERR_RTC_CLIENT_CLOSED: 'The client was disposed of. Make a new one.',
  ERR_RTC_CLIENT_BUSY: 'Another connect() is under way. Wait for it, or call disconnect() first.',
  ERR_RTC_CONNECT_ABORTED: 'connect() was ended by its signal or by disconnect().',
  ERR_RTC_CONNECT_TIMEOUT:
    'The voice server was not reached in time: the parentheses say where it stood. A certificate: pass ca. discovering: outgoing UDP is blocked.',
  ERR_RTC_JOIN_TIMEOUT:
    'Discord did not answer the join. Check that the gateway is ready with the GuildVoiceStates intent, and that the bot may view and join the channel.',
  ERR_RTC_SIGNALLING_FAILED: 'The gateway could not send the join; `cause` says why. Connect the gateway first.',
  ERR_RTC_SIGNALLING_UNREADY: 'The own user id is unknown. Connect the gateway first, or pass userId.',
  ERR_RTC_ENDPOINT_INVALID: 'Discord named a voice server that is no address. Check what is between here and Discord.',
  ERR_RTC_SESSION_REFUSED: 'The voice server refused the session. Check that no other process joins with the same bot.',
  ERR_RTC_MODE_UNSUPPORTED: 'The voice server offers none of the encryption modes. Leave the modes option out.',
  ERR_RTC_CIPHER_UNAVAILABLE: 'No encryption mode works on this machine; `cause` says why. Reinstall @guildkit/rtp.',
  ERR_RTC_DAVE_REQUIRED: 'The channel demands end-to-end encryption. Install @snazzah/davey and leave dave on.',
  ERR_RTC_DAVE_UNAVAILABLE:
    'End-to-end encryption needs the package @snazzah/davey. Install it, or pass dave: false where a channel goes without.',
  ERR_RTC_DAVE_INACTIVE:
    'Ask once the event told of an epoch that the user is in: before, there is nothing to compare.',
  ERR_RTC_KICKED: 'The bot was taken out of the channel, or its gateway session ended. Call connect() to come back.',
  ERR_RTC_CHANNEL_DELETED: 'The channel is gone. Join another.',
  ERR_RTC_RATE_LIMITED: 'The voice server counts too many messages. Wait before connect(), and announce less often.',
  ERR_RTC_SESSION_FAILED: 'Nothing to do: the session is made anew. If it repeats, `cause` says what to look at.',
  ERR_RTC_CONNECTION_LOST: 'Nothing to do: the connection is made anew.',
  ERR_RTC_FRAME_MALFORMED:
    'Nothing to do: the message was skipped. If it repeats, look at what is between here and Discord.',
  ERR_RTC_LISTENER_FAILED: 'A listener of yours threw; `cause` holds what.',
  ERR_RTC_SOURCE_INVALID: 'Pass a source that the method takes: see the sources table of the readme.',
  ERR_RTC_SOURCE_FAILED: 'The media source threw; `cause` holds what.',
  ERR_RTC_CODEC_UNAVAILABLE:
    'The call has agreed on a video codec that the source does not have. Pass tracks of several codecs.',
  ERR_RTC_OPUS_UNAVAILABLE:
    'The Opus codec could not be loaded; `cause` says why. Reinstall opusscript, or pass a codec of your own.',
  ERR_RTC_OPUS_FAILED: 'The Opus codec refused the audio or the packet. Check sample rate, channels and frame length.',
  ERR_RTC_FILE_UNSUPPORTED: 'The file holds nothing that can be used: see the files section of the readme.',
  ERR_RTC_RECORDING_FAILED: 'Record to a quicker disk, or less.',
  ERR_RTC_FILE_READER_MISSING: 'WebM and Ogg files need the package mediabunny. Install it.',
  ERR_RTC_SEND_ABORTED: 'The signal of the sender fired, another source replaced it, or the client was disconnected.',
} as const satisfies Readonly<Record<string, string>>;

/** Every code an {@link RtcError} can have. */
export type RtcErrorCode = keyof typeof RTC_ERROR_REMEDIES;

/** What an {@link RtcError} carries beside its code. */
export interface RtcErrorInit {
  readonly retryable?: boolean | undefined;
  readonly cause?: unknown;
  /** Close code of the voice gateway. */
  readonly status?: number | undefined;
}

/** What the voice client throws, rejects with and emits as `error`. Never holds a token or key. */
export class RtcError extends GuildkitError<RtcErrorCode> {
  /** Close code of the voice gateway, if there was one. */
  readonly status: number | undefined;

  /** @param what What happened, as a sentence without its full stop. The remedy is added. */
  constructor(code: RtcErrorCode, what: string, init: RtcErrorInit = {}) {
    super('RtcError', `${what}. ${RTC_ERROR_REMEDIES[code]}`, {
      code,
      retryable: init.retryable,
      cause: init.cause,
    });
    this.status = init.status;
  }

  /** Whether a value is an RtcError, of whichever copy or module format. */
  static override is(value: unknown): value is RtcError {
    return isErrorNamed(value, 'RtcError');
  }
}

/** Which error a close code that ends everything becomes. */
const FATAL_CLOSE_ERRORS = {
  4004: ['ERR_RTC_SESSION_REFUSED', false],
  4016: ['ERR_RTC_MODE_UNSUPPORTED', false],
  4017: ['ERR_RTC_DAVE_REQUIRED', false],
  4021: ['ERR_RTC_RATE_LIMITED', true],
} as const satisfies Readonly<Record<FatalVoiceCloseCode, readonly [code: RtcErrorCode, retryable: boolean]>>;

/** The error of a connection that ended against our will. */
export function disconnectedError(how: Exclude<EndCause, 'closed'>, { reason, code: status }: VoiceCause): RtcError {
  if (how === 'kicked')
    return new RtcError('ERR_RTC_KICKED', 'The bot is out of the channel', { status, retryable: true });
  if (how === 'channelDeleted') return new RtcError('ERR_RTC_CHANNEL_DELETED', 'The call was ended', { status });
  if (reason === 'modeUnsupported') {
    return new RtcError('ERR_RTC_MODE_UNSUPPORTED', 'No encryption mode suits both sides');
  }
  const known = (FATAL_CLOSE_ERRORS as Readonly<Record<number, readonly [RtcErrorCode, boolean]>>)[status ?? 0];
  const [code, retryable] = known ?? ['ERR_RTC_SESSION_REFUSED', false];
  return new RtcError(code, `The voice server closed the connection with ${status}`, { status, retryable });
}
