/** Owns the public client: options in, methods, events. Refuses logic: that is in `methods/`, `io/` and `protocol/`. */
import { createRedactor, Redacted, TypedEmitter } from '@guildkit/core';
import type { APIChannel, APIGuildChannel, APIGuildVoiceChannel } from 'discord-api-types/v10';
import type { RestEvents } from './events.js';
import { Executor, type RestStats } from './io/executor.js';
import { createFetchTransport } from './io/fetch-transport.js';
import { type PrepareContext, prepare } from './io/prepare.js';
import type { Transport } from './io/transport.js';
import { createUndiciTransport } from './io/undici-transport.js';
import * as channels from './methods/channels.js';
import type { MethodContext } from './methods/context.js';
import {
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
    const resolved = resolveClientOptions(options);
    const { token: secret, apiBase, userAgent, requestTimeoutMs, guildId, clock } = resolved;
    const token = typeof secret === 'string' ? new Redacted(secret) : secret;
    const base = new URL(apiBase);
    this.prepareContext = {
      token,
      origin: base.origin,
      basePath: base.pathname.replace(/\/+$/, ''),
      userAgent: userAgentText(userAgent),
      requestTimeoutMs,
      wallTime: () => clock.wallTime(),
    };
    this.transport = createTransport(resolved);
    this.executor = new Executor({
      ...resolved,
      transport: this.transport,
      redact: createRedactor(token === undefined ? [] : [token]),
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
  async request<T = unknown>(method: HttpMethod, route: string, options: RequestOptions = {}): Promise<T> {
    const checked = checkRequestOptions(options);
    const prepared = prepare(this.prepareContext, method, route, checked);
    return (await this.executor.execute(prepared, checked.schema)) as T;
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

function createTransport({ transport, dispatcher, maxConnections }: ResolvedOptions): Transport {
  if (transport === 'undici') return createUndiciTransport({ maxConnections, dispatcher });
  return transport === 'fetch' ? createFetchTransport() : transport;
}

/** Discord, API Reference, User Agent: `DiscordBot ($url, $versionNumber)`. */
function userAgentText(app: { readonly url: string; readonly version: string } | undefined): string {
  const own = `guildkit/${VERSION}`;
  if (app === undefined) return `DiscordBot (https://www.npmjs.com/package/@guildkit/rest, ${VERSION}) ${own}`;
  const clean = (text: string): string => text.replace(/[^\x21-\x7e]|[(),]/g, '');
  return `DiscordBot (${clean(app.url)}, ${clean(app.version)}) ${own}`;
}
