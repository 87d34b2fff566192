/** Owns the public client: options in, methods, events. Refuses logic: that is in `methods/`, `io/` and `protocol/`. */
import { createRedactor, Redacted, TypedEmitter } from '@guildkit/core';
import type {
  APIChannel,
  APIExtendedInvite,
  APIGatewayBotInfo,
  APIGuildChannel,
  APIGuildMember,
  APIGuildVoiceChannel,
  APIInvite,
  APIMessage,
  APIRole,
  APIUser,
  RESTPostOAuth2AccessTokenResult,
} from 'discord-api-types/v10';
import type { RestEvents } from './events.js';
import type { PermissionOverwriteInput } from './input.js';
import { Executor, type RestStats } from './io/executor.js';
import { createFetchTransport } from './io/fetch-transport.js';
import { fingerprint, type PrepareContext, prepare } from './io/prepare.js';
import { Routes } from './io/routes.js';
import type { Transport } from './io/transport.js';
import { createUndiciTransport } from './io/undici-transport.js';
import * as channels from './methods/channels.js';
import type { MethodContext } from './methods/context.js';
import * as gateway from './methods/gateway.js';
import * as invites from './methods/invites.js';
import * as members from './methods/members.js';
import * as messages from './methods/messages.js';
import * as oauth2 from './methods/oauth2.js';
import * as roles from './methods/roles.js';
import {
  type Auth,
  type CallOptions,
  checkRequestOptions,
  type DiscordRestClientOptions,
  type HttpMethod,
  type RequestOptions,
  type ResolvedOptions,
  resolveClientOptions,
} from './options.js';
import { VERSION } from './version.js';

/**
 * Discord's HTTP API with its rate limits obeyed: requests wait in line instead of meeting a 429.
 *
 * @example
 * ```ts
 * import { DiscordApiError, DiscordRestClient } from '@guildkit/rest';
 *
 * const rest = new DiscordRestClient({ token: process.env['DISCORD_BOT_TOKEN'], guildId: '1234567890' });
 * try {
 *   const channel = await rest.createVoiceChannel({ name: 'Table 1', userLimit: 4 }, { reason: 'a game' });
 *   await rest.deleteChannel(channel.id);
 * } catch (error) {
 *   if (DiscordApiError.is(error)) console.error(error.status, error.discordCode, error.fields);
 * }
 * ```
 */
export class DiscordRestClient extends TypedEmitter<RestEvents> {
  private readonly executor: Executor;
  private readonly transport: Transport;
  private readonly prepareContext: PrepareContext;
  private readonly context: MethodContext;

  /** @throws TypeError for an unknown or out-of-range option. */
  constructor(options?: DiscordRestClientOptions) {
    super();
    // The token goes into no object that can be printed.
    const { token: secret, ...settings } = resolveClientOptions(options);
    const { apiBase, userAgent, requestTimeoutMs, guildId, clock } = settings;
    const token = typeof secret === 'string' ? new Redacted(secret) : secret;
    const base = new URL(apiBase);
    this.prepareContext = {
      authorization: token === undefined ? undefined : new Redacted(`Bot ${token.reveal()}`),
      origin: base.origin,
      basePath: base.pathname.replace(/\/+$/, ''),
      userAgent: userAgentText(userAgent),
      requestTimeoutMs,
      routes: new Routes(),
      wallTime: () => clock.wallTime(),
    };
    this.transport = createTransport(base.origin, settings);
    this.executor = new Executor({
      ...settings,
      transport: this.transport,
      namespace: token === undefined ? 'none' : fingerprint(token.reveal()),
      redact: createRedactor(token === undefined ? [] : [token]),
      hears: (name) => this.listenerCount(name) > 0,
      emit: (name, event) => this.emitEvent(name, event),
    });
    this.context = { guildId, send: (method, route, options) => this.request(method, route, options) };
  }

  /**
   * Makes any request. Resolves with the parsed JSON body, `undefined` where there is none.
   *
   * @param route Path below the API's base, ids in place: `Routes.channel(id)` of discord-api-types.
   * @throws DiscordApiError when Discord refuses it; other `DiscordRestError`s for network, limits, deadline and abort.
   */
  request<T = unknown>(method: HttpMethod, route: string, options?: RequestOptions): Promise<T> {
    try {
      const checked = checkRequestOptions(options);
      const prepared = prepare(this.prepareContext, method, route, checked);
      return this.executor.execute(prepared, checked.schema) as Promise<T>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Creates a voice channel. Discord: Create Guild Channel.
   *
   * @throws InvalidInputError before anything is sent.
   */
  createVoiceChannel(input: channels.VoiceChannelInput, options?: CallOptions): Promise<APIGuildVoiceChannel>;
  /** Creates a voice channel in the client's guild. */
  createVoiceChannel(name: string, parentId?: string, userLimit?: number): Promise<APIGuildVoiceChannel>;
  async createVoiceChannel(
    input: channels.VoiceChannelInput | string,
    second?: CallOptions | string,
    userLimit?: number,
  ): Promise<APIGuildVoiceChannel> {
    if (typeof input === 'string') {
      return channels.createVoiceChannel(this.context, { name: input, parentId: second, userLimit }, {});
    }
    return channels.createVoiceChannel(this.context, input, (second as CallOptions | undefined) ?? {});
  }

  /** Lists a guild's channels, threads excluded. Discord: Get Guild Channels. */
  async getChannels(guildId?: string, options: CallOptions = {}): Promise<APIGuildChannel[]> {
    return channels.getChannels(this.context, guildId, options);
  }

  /** Reads a channel. Discord: Get Channel. */
  async getChannel(channelId: string, options: CallOptions = {}): Promise<APIChannel> {
    return channels.getChannel(this.context, channelId, options);
  }

  /** Changes a channel. Discord: Modify Channel. */
  async modifyChannel(channelId: string, edit: channels.ChannelEdit, options: CallOptions = {}): Promise<APIChannel> {
    return channels.modifyChannel(this.context, channelId, edit, options);
  }

  /**
   * Deletes a channel. Discord: Delete/Close Channel. Resolves too when a retry finds that the attempt whose answer
   * was lost had deleted it.
   */
  async deleteChannel(channelId: string, options: CallOptions = {}): Promise<void> {
    return channels.deleteChannel(this.context, channelId, options);
  }

  /** Lets a role or member do things in a channel, or not. Discord: Edit Channel Permissions. */
  async editChannelPermissions(
    channelId: string,
    overwrite: PermissionOverwriteInput,
    options: CallOptions = {},
  ): Promise<void> {
    return channels.editChannelPermissions(this.context, channelId, overwrite, options);
  }

  /** Takes an overwrite away; its id is the role's or member's. Discord: Delete Channel Permission. */
  async deleteChannelPermission(channelId: string, overwriteId: string, options: CallOptions = {}): Promise<void> {
    return channels.deleteChannelPermission(this.context, channelId, overwriteId, options);
  }

  /**
   * Sends a message, once even when it is retried. Mentions nobody unless `allowedMentions` says so. Discord: Create
   * Message.
   */
  async sendMessage(
    channelId: string,
    content: string | messages.MessageInput,
    options: CallOptions = {},
  ): Promise<APIMessage> {
    return messages.sendMessage(this.context, channelId, content, options);
  }

  /** Changes a message of the bot. Discord: Edit Message. */
  async editMessage(
    channelId: string,
    messageId: string,
    edit: messages.MessageEdit,
    options: CallOptions = {},
  ): Promise<APIMessage> {
    return messages.editMessage(this.context, channelId, messageId, edit, options);
  }

  /** Deletes a message. Discord: Delete Message. */
  async deleteMessage(channelId: string, messageId: string, options: CallOptions = {}): Promise<void> {
    return messages.deleteMessage(this.context, channelId, messageId, options);
  }

  /** Deletes 2 to 100 messages that are younger than two weeks. Discord: Bulk Delete Messages. */
  async bulkDeleteMessages(channelId: string, messageIds: readonly string[], options: CallOptions = {}): Promise<void> {
    return messages.bulkDeleteMessages(this.context, channelId, messageIds, options);
  }

  /** Lists messages, newest first. Discord: Get Channel Messages. */
  async getChannelMessages(
    channelId: string,
    query: messages.MessageQuery = {},
    options: CallOptions = {},
  ): Promise<APIMessage[]> {
    return messages.getChannelMessages(this.context, channelId, query, options);
  }

  /** Reacts as the bot. `emoji` is the character itself, or `name:id`. Discord: Create Reaction. */
  async createReaction(channelId: string, messageId: string, emoji: string, options: CallOptions = {}): Promise<void> {
    return messages.createReaction(this.context, channelId, messageId, emoji, options);
  }

  /** Takes the bot's reaction back. Discord: Delete Own Reaction. */
  async deleteOwnReaction(
    channelId: string,
    messageId: string,
    emoji: string,
    options: CallOptions = {},
  ): Promise<void> {
    return messages.deleteReaction(this.context, channelId, messageId, emoji, undefined, options);
  }

  /** Takes someone's reaction away. Discord: Delete User Reaction. */
  async deleteUserReaction(
    channelId: string,
    messageId: string,
    emoji: string,
    userId: string,
    options: CallOptions = {},
  ): Promise<void> {
    return messages.deleteReaction(this.context, channelId, messageId, emoji, userId, options);
  }

  /** Shows the bot as typing for ten seconds or until it sends. Discord: Trigger Typing Indicator. */
  async triggerTypingIndicator(channelId: string, options: CallOptions = {}): Promise<void> {
    return messages.triggerTypingIndicator(this.context, channelId, options);
  }

  /** Reads a member. Discord: Get Guild Member. */
  async getGuildMember(ref: members.MemberRef, options: CallOptions = {}): Promise<APIGuildMember> {
    return members.getGuildMember(this.context, ref, options);
  }

  /** Adds someone who gave the scope `guilds.join`; `undefined` when they were in already. Discord: Add Guild Member. */
  async addGuildMember(member: members.NewMember, options: CallOptions = {}): Promise<APIGuildMember | undefined> {
    return members.addGuildMember(this.context, member, options);
  }

  /** Changes a member. Discord: Modify Guild Member. */
  async modifyGuildMember(edit: members.MemberEdit, options: CallOptions = {}): Promise<APIGuildMember> {
    return members.modifyGuildMember(this.context, edit, options);
  }

  /** Moves a member who is in a voice channel to another. Discord: Modify Guild Member. */
  async moveMember(move: members.MemberMove, options: CallOptions = {}): Promise<APIGuildMember> {
    return members.moveMember(this.context, move, options);
  }

  /** Takes a member out of voice. Discord: Modify Guild Member. */
  async disconnectMember(ref: members.MemberRef, options: CallOptions = {}): Promise<void> {
    return members.disconnectMember(this.context, ref, options);
  }

  /** Gives a member a role. Discord: Add Guild Member Role. */
  async addGuildMemberRole(ref: members.MemberRoleRef, options: CallOptions = {}): Promise<void> {
    return members.addGuildMemberRole(this.context, ref, options);
  }

  /** Takes a role from a member. Discord: Remove Guild Member Role. */
  async removeGuildMemberRole(ref: members.MemberRoleRef, options: CallOptions = {}): Promise<void> {
    return members.removeGuildMemberRole(this.context, ref, options);
  }

  /** Lists a guild's roles. Discord: Get Guild Roles. */
  async getGuildRoles(guildId?: string, options: CallOptions = {}): Promise<APIRole[]> {
    return roles.getGuildRoles(this.context, guildId, options);
  }

  /** Creates a role; without `permissions` it grants nothing. Discord: Create Guild Role. */
  async createGuildRole(role: roles.RoleInput, options: CallOptions = {}): Promise<APIRole> {
    return roles.createGuildRole(this.context, role, options);
  }

  /** Changes a role. Discord: Modify Guild Role. */
  async modifyGuildRole(edit: roles.RoleEdit, options: CallOptions = {}): Promise<APIRole> {
    return roles.modifyGuildRole(this.context, edit, options);
  }

  /** Deletes a role. Discord: Delete Guild Role. */
  async deleteGuildRole(ref: roles.RoleRef, options: CallOptions = {}): Promise<void> {
    return roles.deleteGuildRole(this.context, ref, options);
  }

  /** Makes an invite into a channel. Discord: Create Channel Invite. */
  async createChannelInvite(
    channelId: string,
    invite: invites.InviteInput = {},
    options: CallOptions = {},
  ): Promise<APIExtendedInvite> {
    return invites.createChannelInvite(this.context, channelId, invite, options);
  }

  /** Lists a channel's invites. Discord: Get Channel Invites. */
  async getChannelInvites(channelId: string, options: CallOptions = {}): Promise<APIExtendedInvite[]> {
    return invites.getChannelInvites(this.context, channelId, options);
  }

  /** Reads an invite. Discord: Get Invite. */
  async getInvite(code: string, options: CallOptions = {}): Promise<APIInvite> {
    return invites.getInvite(this.context, code, options);
  }

  /** Withdraws an invite. Discord: Delete Invite. */
  async deleteInvite(code: string, options: CallOptions = {}): Promise<void> {
    return invites.deleteInvite(this.context, code, options);
  }

  /** Where the gateway is, and how many sessions may start. Discord: Get Gateway Bot. */
  async getGatewayBot(options: CallOptions = {}): Promise<APIGatewayBotInfo> {
    return gateway.getGatewayBot(this.context, options);
  }

  /** The bot itself, or with `{ bearer }` the user of that token. Discord: Get Current User. */
  async getCurrentUser(auth?: Auth, options: CallOptions = {}): Promise<APIUser> {
    return oauth2.getCurrentUser(this.context, auth, options);
  }

  /** Turns an authorization code into tokens. Discord: OAuth2, Authorization Code Grant. */
  async exchangeCode(input: oauth2.CodeExchange, options: CallOptions = {}): Promise<RESTPostOAuth2AccessTokenResult> {
    return oauth2.exchangeCode(this.context, input, options);
  }

  /** Renews tokens; the refresh token is spent by it. Discord: OAuth2, Refresh Token. */
  async refreshToken(input: oauth2.TokenRefresh, options: CallOptions = {}): Promise<RESTPostOAuth2AccessTokenResult> {
    return oauth2.refreshToken(this.context, input, options);
  }

  /** Withdraws a token. Discord: OAuth2, Token Revocation. */
  async revokeToken(input: oauth2.TokenRevocation, options: CallOptions = {}): Promise<void> {
    return oauth2.revokeToken(this.context, input, options);
  }

  /** Counters, for health checks and metrics. */
  stats(): RestStats {
    return this.executor.stats();
  }

  /** Rejects what is going on with `ERR_REST_CLIENT_CLOSED` and closes the connections. Calling it again does nothing. */
  async close(): Promise<void> {
    this.executor.close();
    await this.transport.close();
  }

  /** {@link close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function createTransport(origin: string, settings: Omit<ResolvedOptions, 'token'>): Transport {
  const { transport, dispatcher, maxConnections } = settings;
  if (transport === 'undici') return createUndiciTransport({ origin, maxConnections, dispatcher });
  return transport === 'fetch' ? createFetchTransport() : transport;
}

/** Discord, API Reference, User Agent: `DiscordBot ($url, $versionNumber)`. */
function userAgentText(app: { readonly url: string; readonly version: string } | undefined): string {
  const own = `guildkit/${VERSION}`;
  if (app === undefined) return `DiscordBot (https://github.com/guildkit/guildkit, ${VERSION}) ${own}`;
  const clean = (text: string): string => text.replace(/[^\x21-\x7e]|[(),]/g, '');
  return `DiscordBot (${clean(app.url)}, ${clean(app.version)}) ${own}`;
}
