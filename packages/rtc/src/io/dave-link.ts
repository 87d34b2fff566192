/**
 * Owns the end-to-end side of one connection over its sessions: a client for each, its timer, and what it says to the voice
 * gateway until that is known to have arrived. Refuses frames: media ask the client itself.
 */
import type { Clock } from '@guildkit/core';
import { encodeVoiceBinary, encodeVoiceJson } from '../codec/encode-voice-message.js';
import { type DaveClient, type DaveEvent, type DaveInput, daveInputOf } from '../dave/dave.js';
import { VOICE_OPCODES as OP } from '../protocol/voice-frames.js';
import type { VoiceNews } from '../protocol/voice-news.js';

/** What a link works with. */
export interface DaveLinkInit {
  readonly clock: Clock;
  /** To the voice gateway; whether it was handed over. */
  send(data: string | Uint8Array): boolean;
  onEvent(event: DaveEvent): void;
}

interface Unconfirmed {
  readonly op: number;
  readonly data: string | Uint8Array;
  readonly at: number;
}

/** More than a session says between two heartbeats. */
const MAX_UNCONFIRMED = 64;

/** The end-to-end side of a connection. */
export class DaveLink {
  /** `undefined`: the call goes without. */
  client: DaveClient | undefined;
  /**
   * Said into a socket that may have been dead already, or while there was none. A resume repeats what the server has said, not
   * what it has not heard: without its answer the group would wait for ever.
   */
  private unconfirmed: readonly Unconfirmed[] = [];
  private timer: unknown;

  constructor(private readonly init: DaveLinkInit) {}

  /** A new session of the voice gateway. */
  begin(client: DaveClient | undefined): void {
    this.end();
    this.client = client;
  }

  end(): void {
    this.init.clock.clearTimer(this.timer);
    this.client?.close();
    this.client = undefined;
    this.unconfirmed = [];
  }

  /** Takes what the voice gateway says, as far as it concerns the group. */
  hear(news: VoiceNews): void {
    switch (news.type) {
      case 'daveBinary':
        // Who is told of a commit or welcomed has been heard.
        if (news.op === OP.daveAnnounceCommit || news.op === OP.daveWelcome) {
          this.confirm(({ op }) => op !== OP.daveTransitionReady);
        }
        this.handle({ type: 'binary', op: news.op, payload: news.payload });
        return;
      case 'daveJson':
        if (news.op === OP.daveExecuteTransition) this.confirm(({ op }) => op === OP.daveTransitionReady);
        this.handle(daveInputOf(news.op, news.data));
        return;
      case 'clientsConnect':
        this.handle({ type: 'clientsConnect', userIds: news.userIds });
        return;
      case 'clientDisconnect':
        this.handle({ type: 'clientDisconnect', userId: news.userId });
        return;
      default:
    }
  }

  /** Opcode 4. */
  start(protocolVersion: number): void {
    this.handle({ type: 'session', protocolVersion });
  }

  /** The server has answered a heartbeat that was sent then: messages arrive in order, so it has what was sent before. */
  heartbeatAnswered(sentAt: number): void {
    this.confirm(({ at }) => at < sentAt);
  }

  /** The session was resumed: says again what may not have arrived. */
  resumed(): void {
    for (const { data } of this.unconfirmed) this.init.send(data);
  }

  private handle(input: DaveInput | undefined): void {
    const { client } = this;
    if (client === undefined || input === undefined) return;
    const { clock } = this.init;
    for (const effect of client.handle(input, clock.now())) {
      switch (effect.type) {
        case 'sendJson':
          this.say(effect.op, encodeVoiceJson(effect.op, effect.d));
          break;
        case 'sendBinary':
          this.say(effect.op, encodeVoiceBinary(effect.op, effect.payload));
          break;
        case 'event':
          this.init.onEvent(effect.event);
      }
    }
    clock.clearTimer(this.timer);
    if (client.deadline === undefined || this.client !== client) return;
    const delayMs = Math.max(0, client.deadline - clock.now());
    this.timer = clock.setTimer(() => this.handle({ type: 'timer' }), delayMs);
  }

  private say(op: number, data: string | Uint8Array): void {
    // A key package takes the place of the one before.
    if (op === OP.daveKeyPackage) this.confirm((said) => said.op === op);
    const said = { op, data, at: this.init.clock.now() };
    this.unconfirmed = [...this.unconfirmed, said].slice(-MAX_UNCONFIRMED);
    this.init.send(data);
  }

  private confirm(isHeard: (said: Unconfirmed) => boolean): void {
    this.unconfirmed = this.unconfirmed.filter((said) => !isHeard(said));
  }
}
