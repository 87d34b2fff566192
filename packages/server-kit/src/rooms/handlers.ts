/** Owns the routes of rooms as Web-standard handlers. */
import { GuildkitError, type Logger, messageOf, type Redacted, silentLogger, toLogText } from '@guildkit/core';
import * as z from 'zod/mini';
import type { Principal } from '../principal.js';
import { readBytes } from '../shared/read-body.js';
import { refusalResponse, requestIdOf } from '../shared/safe-response.js';
import { ROOM_STATUS, RoomError } from './errors.js';
import type { RoomService } from './room-service.js';

/** Settings of {@link createRoomHandlers}. */
export interface RoomHandlersOptions {
  readonly rooms: RoomService;
  /** Who asks, with Discord's access token when there is one; `null` for nobody. CSRF is this function's to refuse. */
  readonly principalOf: (
    request: Request,
  ) => Promise<(Principal & { readonly accessToken?: Redacted | undefined }) | null>;
  /** Roles whose holders may end rooms of others. @defaultValue `['moderator']` */
  readonly moderatorRoles?: readonly string[] | undefined;
  readonly logger?: Logger | undefined;
}

/** Handlers; none rejects. */
export interface RoomHandlers {
  /** `POST /api/create-room`, `{ name?, parentId?, userLimit? }`, header `Idempotency-Key`: 201 and the room. */
  createRoom(request: Request): Promise<Response>;
  /** `DELETE /api/end-room/:channelId`: 204, also the second time. */
  endRoom(request: Request, context: { readonly channelId: string }): Promise<Response>;
  /** `POST /api/join-room`, `{ channelId, invite }`: 200 and how to get in. */
  joinRoom(request: Request): Promise<Response>;
}

const snowflake = z.string().check(z.regex(/^[0-9]{1,20}$/, 'must be a Discord id'));
const createSchema = z.strictObject({
  name: z.optional(z.string().check(z.minLength(1), z.maxLength(100))),
  parentId: z.optional(snowflake),
  userLimit: z.optional(z.int().check(z.gte(1), z.lte(99))),
});
const joinSchema = z.strictObject({
  channelId: snowflake,
  invite: z.string().check(z.minLength(1), z.maxLength(2_048)),
});

const MAX_BODY_BYTES = 16_384;

/** What refused invites are told: by code, as `/invites` is not loaded here. */
const INVITE_STATUS: Readonly<Record<string, number>> = { ERR_INVITE_USES_SPENT: 409, ERR_INVITE_STORE_FULL: 503 };

/** Creates the handlers. */
export function createRoomHandlers(options: RoomHandlersOptions): RoomHandlers {
  const { rooms, principalOf, moderatorRoles = ['moderator'], logger = silentLogger } = options;

  async function someone(request: Request) {
    const principal = await principalOf(request);
    if (principal === null) throw new RoomError('ERR_ROOM_SESSION_REQUIRED');
    return principal;
  }

  async function answer(request: Request, method: string, work: () => Promise<Response>): Promise<Response> {
    const requestId = requestIdOf(request);
    try {
      if (request.method !== method) {
        const said = { status: 405, code: 'ERR_HTTP_METHOD_UNKNOWN', message: `Send ${method}.` };
        return refusalResponse(said, requestId, { allow: method });
      }
      return await work();
    } catch (error) {
      return refuse(error, requestId);
    }
  }

  function refuse(error: unknown, requestId: string): Response {
    if (RoomError.is(error)) {
      const { code, message, fields } = error;
      return refusalResponse({ status: ROOM_STATUS[code], code, message, fields }, requestId);
    }
    if (GuildkitError.is(error) && error.code.startsWith('ERR_INVITE_')) {
      const { code, message } = error;
      return refusalResponse({ status: INVITE_STATUS[code] ?? 403, code, message }, requestId);
    }
    logger.error({ requestId, err: error, reason: toLogText(messageOf(error)) }, 'room request failed');
    return refusalResponse({ status: 500, code: 'ERR_HTTP_INTERNAL', message: 'Something went wrong.' }, requestId);
  }

  return {
    createRoom: (request) =>
      answer(request, 'POST', async () => {
        const { userId, accessToken } = await someone(request);
        const input = await read(request, createSchema);
        const idempotencyKey = request.headers.get('idempotency-key') ?? undefined;
        const room = await rooms.create({
          ...input,
          creatorId: userId,
          idempotencyKey,
          accessToken: accessToken?.reveal(),
        });
        return json(room, 201);
      }),
    endRoom: (request, { channelId }) =>
      answer(request, 'DELETE', async () => {
        const { userId, roles } = await someone(request);
        await rooms.end(channelId, { userId, isModerator: roles.some((role) => moderatorRoles.includes(role)) });
        return new Response(null, { status: 204 });
      }),
    joinRoom: (request) =>
      answer(request, 'POST', async () => {
        const { userId, accessToken } = await someone(request);
        const { channelId, invite } = await read(request, joinSchema);
        const { room, placement } = await rooms.join({ channelId, userId, invite, accessToken: accessToken?.reveal() });
        const { name, guildId } = room;
        return json({ channelId, name, guildId, ...placement }, 200);
      }),
  };
}

async function read<T>(request: Request, schema: z.ZodMiniType<T>): Promise<T> {
  const body = await readBytes(request, MAX_BODY_BYTES);
  const invalid = (path: string, message: string) =>
    new RoomError('ERR_ROOM_INPUT_INVALID', { fields: [{ path, message }] });
  if (body.kind !== 'bytes') throw invalid('', body.kind === 'tooLarge' ? 'is too large' : 'could not be read');
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body.bytes));
  } catch {
    throw invalid('', 'must be JSON');
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const fields = result.error.issues
    .slice(0, 16)
    .map(({ path, message }) => ({ path: path.map(String).join('.'), message: toLogText(message) }));
  throw new RoomError('ERR_ROOM_INPUT_INVALID', { fields });
}

function json(value: unknown, status: number): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
  });
}
