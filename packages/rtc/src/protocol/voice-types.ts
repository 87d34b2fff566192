/** Owns the vocabulary of a voice connection: its states, what happens to it, what it wants done. Types only. */
import type { Redacted } from '@guildkit/core';
import type { EncryptionMode } from '@guildkit/rtp';
import type { ExternalAddress } from './udp-datagrams.js';
import type { ServerOffer, SessionDescription, VoiceControl, VoiceFrame } from './voice-frames.js';
import type { Keepalive } from './voice-keepalive.js';

/** Where the bot is to be. */
export interface Target {
  readonly channelId: string;
  readonly selfMute: boolean;
  readonly selfDeaf: boolean;
}

/**
 * Where a voice connection is: nowhere; waiting for the main gateway; on the way into the voice gateway (`opening` to
 * `selecting`); `ready`; `resuming`; out, and perhaps moved (`expelled`); or `waiting` for the next try.
 */
export type VoicePhase =
  | 'idle'
  | 'signalling'
  | 'opening'
  | 'identifying'
  | 'discovering'
  | 'selecting'
  | 'ready'
  | 'resuming'
  | 'expelled'
  | 'waiting';

/** Why a connection went from one phase to another. */
export type VoiceReason =
  | 'created'
  | 'connect'
  | 'signalled'
  | 'hello'
  | 'offer'
  | 'discovered'
  | 'described'
  | 'resumed'
  | 'retry'
  | 'moved'
  | 'serverUpdate'
  | 'serverGone'
  | 'sessionUpdate'
  | 'addressChanged'
  | 'removed'
  | 'socketClosed'
  | 'signallingFailed'
  | 'signallingTimeout'
  | 'helloTimeout'
  | 'answerTimeout'
  | 'discoveryTimeout'
  | 'heartbeatTimeout'
  | 'udpTimeout'
  | 'udpFailed'
  | 'sessionFailed'
  | 'modeUnsupported'
  | 'disconnectCalled';

/** Why, with the close code if there was one. */
export interface VoiceCause {
  readonly reason: VoiceReason;
  readonly code: number | undefined;
}

/** The heartbeat of one socket. */
export interface Heart {
  readonly everyMs: number;
  readonly nextAt: number;
  /** When the beat was sent that has no ACK yet. */
  readonly unansweredSince: number | undefined;
}

/** What a voice server has agreed on with us: lives on the UDP socket, over several WebSockets. */
export interface Link {
  readonly offer: ServerOffer;
  readonly mode: EncryptionMode;
  readonly external: ExternalAddress;
  /** What it was identified with. */
  readonly sessionId: string;
  readonly readySince: number;
  readonly keepalive: Keepalive;
}

/** Asking again how the server sees us, when the path is in doubt. */
export interface Probe {
  readonly until: number;
  readonly retryAt: number;
}

/** What every phase knows. */
export interface Common {
  /** Number of the newest WebSocket. An input that carries another one is stale. */
  readonly gen: number;
  /** Number of the newest UDP socket. */
  readonly udpGen: number;
  /** Failed tries since a session was stable. */
  readonly attempts: number;
  /** Resumes since the last session was ready. */
  readonly resumes: number;
  /** Last sequence number of the voice gateway, 16 bits; -1 when none was seen. */
  readonly seqAck: number;
  /** What the main gateway says of us, as far as it fits the target. */
  readonly voiceState: { readonly sessionId: string } | undefined;
  readonly server: { readonly token: Redacted; readonly endpoint: string } | undefined;
  /** Leaves of ours whose voice state has not come back. */
  readonly ownLeaves: number;
  /** Until when a move has to be followed by a voice server update. */
  readonly moveUntil: number | undefined;
  /** The end of a wait came late: it was put off once. */
  readonly excused: boolean;
  readonly cause: VoiceCause;
}

/** Every phase but `idle` has somewhere to be. */
interface Joined extends Common {
  readonly target: Target;
}

interface Alive extends Joined {
  readonly heart: Heart;
}

/** Every phase that waits for someone else carries `until`; `ready` has its heart. */
export type VoiceState =
  | (Common & { readonly phase: 'idle' })
  /** `other`: the last voice state was of another channel, so the server updates that follow are, too. */
  | (Joined & { readonly phase: 'signalling'; readonly until: number; readonly other: boolean })
  | (Joined & { readonly phase: 'opening'; readonly until: number; readonly link: Link | undefined })
  | (Alive & { readonly phase: 'identifying'; readonly until: number })
  | (Alive & {
      readonly phase: 'discovering';
      readonly until: number;
      readonly retryAt: number;
      readonly offer: ServerOffer;
      readonly mode: EncryptionMode;
    })
  | (Alive & {
      readonly phase: 'selecting';
      readonly until: number;
      readonly offer: ServerOffer;
      readonly mode: EncryptionMode;
      readonly external: ExternalAddress;
      readonly described: boolean;
    })
  | (Alive & { readonly phase: 'ready'; readonly link: Link; readonly probe: Probe | undefined })
  | (Alive & { readonly phase: 'resuming'; readonly until: number; readonly link: Link })
  /** `left`: a voice state said so; `open`: the socket may still say why. */
  | (Joined & {
      readonly phase: 'expelled';
      readonly until: number;
      readonly how: 'kicked' | 'channelDeleted';
      readonly left: boolean;
      readonly open: boolean;
    })
  | (Joined & {
      readonly phase: 'waiting';
      readonly until: number;
      readonly link: Link | undefined;
      /** Leave before joining: an unchanged voice state may be answered by nothing. */
      readonly afresh: boolean;
    });

/** The state in one of these phases. */
export type In<Phase extends VoicePhase> = Extract<VoiceState, { phase: Phase }>;

/** A state that has a WebSocket. */
export type Live = In<'opening' | 'identifying' | 'discovering' | 'selecting' | 'ready' | 'resuming'>;

/** What happens to a connection. `gen` and `udpGen` name the socket that an input is about. */
export type VoiceInput<News> =
  | { readonly type: 'join'; readonly target: Target }
  | { readonly type: 'leave' }
  | { readonly type: 'voiceState'; readonly channelId: string | null; readonly sessionId: string }
  | { readonly type: 'voiceServer'; readonly token: Redacted; readonly endpoint: string | null }
  | { readonly type: 'signallingFailed' }
  | { readonly type: 'socketClosed'; readonly gen: number; readonly code: number }
  /** `seq`: of numbered messages. */
  | {
      readonly type: 'frame';
      readonly gen: number;
      readonly frame: VoiceFrame<News>;
      readonly seq?: number | undefined;
    }
  /** The ciphers of the described session work. */
  | { readonly type: 'sessionPrepared'; readonly gen: number }
  | { readonly type: 'sessionFailed'; readonly gen: number }
  | ({ readonly type: 'discovered'; readonly udpGen: number } & ExternalAddress)
  | { readonly type: 'keepaliveAnswered'; readonly udpGen: number; readonly seq: number }
  /** Media has come since the last keepalive. */
  | { readonly type: 'udpHeard'; readonly udpGen: number }
  | { readonly type: 'udpFailed'; readonly udpGen: number };

/** How a connection ends. */
export type EndCause = 'kicked' | 'channelDeleted' | 'closed' | 'fatal';

/** What the shell has to do, in order. */
export type VoiceEffect<News> =
  /** Opcode 4 of the main gateway; `null` leaves. */
  | { readonly type: 'sendVoiceState'; readonly target: Target | null }
  | { readonly type: 'openSocket'; readonly gen: number; readonly endpoint: string }
  /** `terminate`: the peer is dead, wait for nothing. `keep` and `end` say what the server does with the session. */
  | { readonly type: 'closeSocket'; readonly gen: number; readonly how: 'terminate' | 'keep' | 'end' }
  | { readonly type: 'send'; readonly gen: number; readonly control: VoiceControl }
  | { readonly type: 'openUdp'; readonly udpGen: number; readonly offer: ServerOffer }
  | { readonly type: 'closeUdp'; readonly udpGen: number }
  | { readonly type: 'sendDiscovery'; readonly udpGen: number; readonly ssrc: number }
  | { readonly type: 'sendKeepalive'; readonly udpGen: number; readonly seq: number }
  /** Make ciphers and start end-to-end encryption, then say so. */
  | {
      readonly type: 'prepareSession';
      readonly gen: number;
      readonly offer: ServerOffer;
      readonly description: SessionDescription;
    }
  /** Media may flow by what was prepared last. */
  | { readonly type: 'sessionStarted'; readonly channelId: string }
  /** Media stops. A resumed session was never lost. */
  | { readonly type: 'sessionLost' }
  | { readonly type: 'resumed' }
  | { readonly type: 'deliver'; readonly news: News }
  | { readonly type: 'drop'; readonly what: 'duplicate' | 'unexpected' }
  | { readonly type: 'heartbeat'; readonly latencyMs: number }
  | { readonly type: 'moved'; readonly from: string; readonly to: string }
  | { readonly type: 'legacyMode'; readonly mode: EncryptionMode }
  | { readonly type: 'alert'; readonly attempts: number; readonly cause: VoiceCause }
  | { readonly type: 'ended'; readonly how: EndCause; readonly cause: VoiceCause };
