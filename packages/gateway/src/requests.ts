/** Owns requests whose answers come as dispatches: which dispatch answers which. Refuses sockets: the client sends. */
import type { DispatchSink } from './dispatch-router.js';
import type { GatewayError } from './errors.js';
import { MemberRequests, type RequestContext } from './member-requests.js';
import { SoundboardRequests } from './soundboard-requests.js';

/** The requests of one client. */
export class GatewayRequests implements DispatchSink {
  readonly members: MemberRequests;
  readonly sounds: SoundboardRequests;

  constructor(context: RequestContext) {
    this.members = new MemberRequests(context);
    this.sounds = new SoundboardRequests(context);
  }

  /** Whether a dispatch of that name may be an answer. */
  wants(dispatch: string): boolean {
    return dispatch === 'GUILD_MEMBERS_CHUNK' || dispatch === 'RATE_LIMITED' || dispatch === 'SOUNDBOARD_SOUNDS';
  }

  push(dispatch: string, data: unknown): void {
    if (dispatch === 'GUILD_MEMBERS_CHUNK') this.members.onChunk(data);
    else if (dispatch === 'RATE_LIMITED') this.members.onRateLimited(data);
    else this.sounds.onSounds(data);
  }

  /** What was sent into a dying connection may never have arrived. */
  onResumed(shardId: number): void {
    this.members.onResumed(shardId);
    this.sounds.onConnected(shardId);
  }

  /** With a session its answers are gone. */
  onSessionLost(shardId: number): void {
    this.members.onSessionLost(shardId);
    this.sounds.onConnected(shardId);
  }

  /** Ends every request. */
  close(error: GatewayError): void {
    this.members.close(error);
    this.sounds.close(error);
  }
}
