/** Owns the whole route table: what the sandbox answers is exactly this. */
import type { Route, RoutePattern } from '../rest/router.js';
import { channelRoutes } from './channels.js';
import { commandRoutes } from './commands.js';
import { gatewayRoutes } from './gateway.js';
import { guildRoutes } from './guilds.js';
import { inviteRoutes } from './invites.js';
import { memberRoutes } from './members.js';
import { messageRoutes } from './messages.js';
import { oauthRoutes } from './oauth.js';
import { reactionRoutes } from './reactions.js';
import { roleRoutes } from './roles.js';
import { userRoutes } from './users.js';
import { webhookRoutes } from './webhooks.js';

/** What Discord has and the sandbox answers with a 404 that says so. */
export const NOT_EMULATED: readonly (RoutePattern & { readonly summary: string })[] = [
  { method: 'POST', path: '/channels/:channelId/threads', summary: 'threads' },
  { method: 'POST', path: '/channels/:channelId/messages/:messageId/threads', summary: 'threads' },
  { method: 'GET', path: '/guilds/:guildId/threads/active', summary: 'threads' },
  { method: 'GET', path: '/channels/:channelId/threads/archived/public', summary: 'threads' },
  { method: 'GET', path: '/channels/:channelId/pins', summary: 'pinned messages' },
  { method: 'GET', path: '/channels/:channelId/messages/pins', summary: 'pinned messages' },
  { method: 'PUT', path: '/channels/:channelId/pins/:messageId', summary: 'pinned messages' },
  { method: 'PUT', path: '/channels/:channelId/messages/pins/:messageId', summary: 'pinned messages' },
  { method: 'POST', path: '/channels/:channelId/messages/:messageId/crosspost', summary: 'crossposting' },
  { method: 'POST', path: '/channels/:channelId/followers', summary: 'following announcement channels' },
  { method: 'PATCH', path: '/guilds/:guildId/voice-states/@me', summary: 'speaking on a stage' },
  { method: 'PATCH', path: '/guilds/:guildId/voice-states/:userId', summary: 'speaking on a stage' },
  { method: 'PUT', path: '/channels/:channelId/voice-status', summary: 'the status of a voice channel' },
  { method: 'POST', path: '/guilds', summary: 'guilds made by bots' },
  { method: 'POST', path: '/guilds/:guildId/prune', summary: 'pruning' },
  { method: 'GET', path: '/guilds/:guildId/integrations', summary: 'integrations' },
  { method: 'GET', path: '/guilds/:guildId/soundboard-sounds', summary: 'soundboard' },
  { method: 'POST', path: '/webhooks/:webhookId/:token/slack', summary: 'webhooks in the form of Slack' },
  { method: 'POST', path: '/webhooks/:webhookId/:token/github', summary: 'webhooks in the form of GitHub' },
  { method: 'GET', path: '/guilds/:guildId/audit-logs', summary: 'audit log; reasons are in sandbox.traffic' },
  { method: 'GET', path: '/guilds/:guildId/bans', summary: 'bans' },
  { method: 'PUT', path: '/guilds/:guildId/bans/:userId', summary: 'bans' },
  { method: 'GET', path: '/guilds/:guildId/emojis', summary: 'custom emoji' },
  { method: 'GET', path: '/guilds/:guildId/stickers', summary: 'stickers' },
  { method: 'GET', path: '/guilds/:guildId/scheduled-events', summary: 'scheduled events' },
  { method: 'GET', path: '/guilds/:guildId/auto-moderation/rules', summary: 'auto moderation' },
  { method: 'POST', path: '/interactions/:interactionId/:token/callback', summary: 'interactions' },
  { method: 'POST', path: '/stage-instances', summary: 'stage instances' },
  { method: 'GET', path: '/applications/:applicationId/emojis', summary: 'application emoji' },
];

/** Every REST route. */
export const ROUTES: readonly Route[] = [
  ...gatewayRoutes,
  ...userRoutes,
  ...guildRoutes,
  ...channelRoutes,
  ...messageRoutes,
  ...reactionRoutes,
  ...memberRoutes,
  ...roleRoutes,
  ...inviteRoutes,
  ...webhookRoutes,
  ...commandRoutes,
  ...oauthRoutes,
];
