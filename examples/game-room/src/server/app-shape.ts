/** Owns the shape of the app: what routes and server functions may use of it. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Logger } from '@guildkit/core';
import type { Sandbox } from '@guildkit/sandbox';
import type { RealtimeHub } from '@guildkit/server-kit/hub';
import type { Invites } from '@guildkit/server-kit/invites';
import type { Metrics } from '@guildkit/server-kit/observability';
import type { RoomService } from '@guildkit/server-kit/rooms';
import type { Chat, ChatMessage } from './chat.js';
import type { Login } from './login.js';
import type { Moderation } from './moderation.js';
import type { Ops } from './ops.js';
import type { People } from './people.js';
import type { Room, RoomDirectory } from './room-directory.js';
import type { Seats } from './seats.js';
import type { Settings } from './settings.js';
import type { Simulation } from './simulation.js';

/** What `/health` says. */
export interface AppHealth {
  /** `stopping`: a load balancer sends nobody here any more. */
  readonly status: 'ok' | 'degraded' | 'stopping';
  readonly discord: {
    readonly simulated: boolean;
    readonly topology: Settings['topology']['kind'];
    readonly state: string;
    /** Of several processes: whether this one is connected to Discord, or ready to be. */
    readonly role: 'owner' | 'standby' | undefined;
  };
  /** `undefined`: this process is alone. */
  readonly redis: 'ready' | 'away' | undefined;
  readonly rooms: number;
  readonly connections: number;
  readonly uptimeSeconds: number;
}

/** Everything that routes and server functions may use. They get it as `context.app`. */
export interface App {
  readonly guildId: string;
  readonly login: Login;
  /** The guild's voice channels, rooms of this app and others. */
  readonly directory: RoomDirectory;
  readonly rooms: RoomService;
  readonly invites: Invites;
  readonly people: People;
  readonly chat: Chat;
  readonly hub: RealtimeHub;
  /** Voice and video of pages. */
  readonly seats: Seats;
  readonly metrics: Metrics;
  /** Whom the hosts of rooms have muted. */
  readonly moderation: Pick<Moderation, 'isMuted'>;
  /** How this process is, for operators. */
  readonly ops: Ops;
  readonly logger: Logger;
  /** Present only when the sandbox stands in for Discord. */
  readonly simulation: Simulation | undefined;
  /** For tests and tools; the same as `simulation`, unwrapped. */
  readonly sandbox: Sandbox | undefined;
  /** A short-lived token with which a player's browser opens the hub. */
  issueToken(userId: string, roles: readonly string[]): Promise<{ readonly token: string; readonly expiresAt: number }>;
  /** Answers `/.well-known/jwks.json`. */
  jwks(request: Request): Promise<Response>;
  /** Whether somebody may see a channel: an open one, or a room in which they have a seat. */
  maySee(userId: string, channelId: string): Promise<boolean>;
  /** Channels of the server that are for all. */
  openChannels(roomIds: ReadonlySet<string>): readonly Room[];
  /** The last messages of a channel, oldest first. */
  messages(channelId: string): Promise<readonly ChatMessage[]>;
  deleteChannel(channelId: string): Promise<void>;
  /** Answers `/api/internal/events`; `undefined` unless a worker sends webhooks. */
  readonly receiveEvent: ((request: Request) => Promise<Response>) | undefined;
  allowsOrigin(origin: string, headers: IncomingHttpHeaders | Headers): boolean;
  health(): AppHealth;
  /** Drains the hub, ends the gateway connection and the sandbox. Safe to call twice. */
  close(): Promise<void>;
}

export interface AppOptions {
  readonly settings: Settings;
  readonly logger: Logger;
  /** Where people reach the app. Asked when somebody logs in, not before. */
  readonly origin: () => string;
}
