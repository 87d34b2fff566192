/** Owns the gateway's side of a sandbox: what the hub asks of the world, of tokens and of limits. */
import type { Clock } from '@guildkit/core';
import { GatewayHub } from './io/gateway-hub.js';
import { GuildShapes } from './protocol/gateway/guild-shapes.js';
import { IdentifyLedger, type IdentifyRules } from './protocol/gateway/identify-ledger.js';
import { MemberRequestLimits } from './protocol/gateway/member-request.js';
import { PresenceLimits, type PresenceRules } from './protocol/gateway/presence-limits.js';
import { carryOut, hangUp, welcome } from './protocol/gateway/requests.js';
import type { Session, SessionRules } from './protocol/gateway/session.js';
import { VoiceSessions } from './protocol/gateway/voice-sessions.js';
import { randomHex } from './protocol/random.js';
import type { WorldEvent } from './protocol/world/events.js';
import { setPresence } from './protocol/world/presence.js';
import type { Bot, World } from './protocol/world/types.js';
import type { TrafficLog } from './traffic.js';

/** The numbers of the gateway. */
export interface GatewayRules {
  readonly session: SessionRules;
  readonly identify: IdentifyRules;
  /** Time between two requests for all members of a guild. */
  readonly wholeListMs: number;
  readonly presence: PresenceRules;
}

/** What the gateway's side is made of. */
export interface GatewaySideOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly traffic: TrafficLog;
  readonly rules: GatewayRules;
  /** What READY calls `resume_gateway_url`. */
  gatewayUrl(): string;
  /** What follows from a dispatch for voice. */
  followVoice(event: WorldEvent): readonly WorldEvent[];
  /** What a bot is told that asks for the voice channel it is in. */
  voiceAgain(guildId: string, session: Session): readonly WorldEvent[];
  botOf(token: string): Bot | undefined;
  /** Makes a bot's token void: it has used up its IDENTIFYs. */
  voidToken(botId: string): void;
}

/** The gateway's side. */
export interface GatewaySide {
  readonly hub: GatewayHub;
  /** What `GET /gateway/bot` tells of a bot's IDENTIFYs. */
  startLimit(botId: string): ReturnType<IdentifyLedger['startLimit']>;
}

const ONLINE = { status: 'online', activities: [] } as const;

/** Creates the gateway's side of a sandbox. */
export function createGatewaySide(options: GatewaySideOptions): GatewaySide {
  const { world, clock, traffic, rules } = options;
  const ledger = new IdentifyLedger(rules.identify);
  const memberLimits = new MemberRequestLimits(rules.wholeListMs);
  const presenceLimits = new PresenceLimits(rules.presence);
  const voiceSessions = new VoiceSessions();
  const shapes = new GuildShapes(world);
  const hub = new GatewayHub({
    clock,
    traffic,
    rules: rules.session,
    grant(token, shardId) {
      const bot = options.botOf(token);
      if (bot === undefined) return undefined;
      const identify = ledger.judge(bot.id, shardId, clock.now());
      return { botId: bot.id, privilegedIntents: bot.privilegedIntents, identify };
    },
    newSessionId: () => randomHex(world.random, 32),
    onSessionStart({ botId, shard }, claim) {
      ledger.record(botId, shard?.[0] ?? 0, clock.now());
      return setPresence(world, botId, claim === undefined ? (world.presences.get(botId) ?? ONLINE) : claim.presence);
    },
    welcome: (session, version) =>
      welcome(world, session, {
        version,
        resumeUrl: options.gatewayUrl(),
        guildCreate: (guild) => shapes.of(guild, session),
      }),
    request(session, request) {
      const now = clock.now();
      if (request.kind === 'presence' && !presenceLimits.take(session.id, now)) {
        traffic.add('gateway', 'in', 'presence ignored: too many');
        return [];
      }
      return carryOut(world, session, request, {
        voiceAgain: options.voiceAgain,
        now,
        memberLimits,
        voiceSessions,
      });
    },
    follow(event) {
      // What is for one session alone tells of the world, and does not change it.
      if (event.sessionId === undefined) shapes.changed();
      return [...voiceSessions.observe(event, clock.wallTime()), ...options.followVoice(event)];
    },
    onSessionEnd(session, isLast) {
      presenceLimits.forget(session.id);
      return [...hangUp(world, session), ...(isLast ? setPresence(world, session.botId, undefined) : [])];
    },
    onExhausted: options.voidToken,
  });
  return { hub, startLimit: (botId) => ledger.startLimit(botId, clock.now()) };
}
