/** Owns what VOICE_SERVER_UPDATE has promised: which token lets whom into which guild's voice, and for how long. */
import type { Guild, World } from '../world/types.js';
import type { VoiceCloseCodeNumber } from './close-codes.js';
import type { VoiceFrame } from './frames.js';

/** What a claim is about, once it is found to be true. */
export type AdmissionVerdict =
  | { readonly ok: true; readonly guild: Guild; readonly userId: string; readonly channelId: string }
  | { readonly ok: false; readonly code: VoiceCloseCodeNumber };

interface Grant {
  readonly userId: string;
  readonly guildId: string;
  readonly token: string;
  used: boolean;
}

/** The tokens that are good now: one for each user of a guild. */
export class VoiceGrants {
  private readonly grants = new Map<string, Grant>();

  constructor(private readonly world: World) {}

  /** Makes a token good, in place of the user's last one. */
  issue(guildId: string, userId: string, token: string): void {
    this.grants.set(keyOf(guildId, userId), { guildId, userId, token, used: false });
  }

  /** An Identify was accepted with the user's token. */
  use(guildId: string, userId: string): void {
    const grant = this.grants.get(keyOf(guildId, userId));
    if (grant !== undefined) grant.used = true;
  }

  /** A user's token that no Identify came with yet. */
  unused(guildId: string, userId: string): string | undefined {
    const grant = this.grants.get(keyOf(guildId, userId));
    return grant?.used === false ? grant.token : undefined;
  }

  /** Makes a user's token void. */
  revoke(guildId: string, userId: string): void {
    this.grants.delete(keyOf(guildId, userId));
  }

  /** Judges an Identify or a Resume by the voice state that it must belong to. */
  judge(claim: Extract<VoiceFrame, { kind: 'identify' | 'resume' }>): AdmissionVerdict {
    const guild = this.world.guilds.get(claim.serverId);
    if (guild === undefined) return refuse(4011);
    const userId = claim.kind === 'identify' ? claim.userId : userOfSession(guild, claim.sessionId);
    // A session that no voice state has: it was there once, or never.
    if (userId === undefined) return refuse(4006);
    const grant = this.grants.get(keyOf(guild.id, userId));
    if (grant === undefined || grant.token !== claim.token.reveal()) return refuse(4004);
    const state = guild.voiceStates.get(userId);
    if (state === undefined || state.sessionId !== claim.sessionId) return refuse(4006);
    if (claim.channelId !== undefined && claim.channelId !== state.channelId) return refuse(4011);
    return { ok: true, guild, userId, channelId: state.channelId };
  }
}

function userOfSession(guild: Guild, sessionId: string): string | undefined {
  for (const state of guild.voiceStates.values()) if (state.sessionId === sessionId) return state.userId;
  return undefined;
}

const keyOf = (guildId: string, userId: string): string => `${guildId}:${userId}`;
const refuse = (code: VoiceCloseCodeNumber): AdmissionVerdict => ({ ok: false, code });
