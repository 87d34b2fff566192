/**
 * Owns which sessions a change of the world is dispatched to, and what of it each may see: shards, bots, intents, the
 * content of messages (Discord docs, Gateway: Sharding, Gateway Intents).
 */
import { GatewayDispatchEvents, GatewayIntentBits } from 'discord-api-types/v10';
import { shardOf } from '../snowflake.js';
import type { DispatchData, WorldEvent } from '../world/events.js';
import { intentsFor } from './intents.js';
import type { Session, SessionInput } from './session.js';

/** A dispatch as a session's machine takes it. */
export type DispatchInput = Extract<SessionInput, { type: 'dispatch' }>;

/** The dispatch of an event that is for one session, or that everyone who gets it sees whole. */
export function toDispatch(event: WorldEvent): DispatchInput {
  const json = textOf(event);
  return { type: 'dispatch', event: { name: event.name, json }, needs: intentsFor(event.name, event.guildId !== '') };
}

/** What each session gets of an event: serialised once for all that see the same, `undefined` for those it is not for. */
export function address(event: WorldEvent): (session: Session) => DispatchInput | undefined {
  const whole = toDispatch(event);
  const { withoutContent, botIds, guildId } = event;
  const stripped = withoutContent === undefined ? undefined : toDispatch({ ...event, data: withoutContent.data });
  const subject = subjectOf(event);
  return ({ botId, intents, shard }) => {
    if (botIds?.includes(botId) === false) return undefined;
    // What happens outside of guilds is shard 0's.
    if (shard !== undefined && (guildId === '' ? 0 : shardOf(guildId, shard[1])) !== shard[0]) return undefined;
    if (botId === subject) return { ...whole, needs: 0 };
    const seesContent = (intents & GatewayIntentBits.MessageContent) !== 0 || withoutContent?.except.includes(botId);
    return seesContent ? whole : (stripped ?? whole);
  };
}

/** The bot that gets a dispatch whatever its intents: of a change of itself (Discord docs, Gateway Intents: Caveats). */
function subjectOf({ name, data }: WorldEvent): string | undefined {
  if (name !== GatewayDispatchEvents.GuildMemberUpdate) return undefined;
  return (data as DispatchData[typeof GatewayDispatchEvents.GuildMemberUpdate]).user.id;
}

/** The texts of data that several dispatches share. */
const sharedTexts = new WeakMap<object, string>();

function textOf({ name, data }: WorldEvent): string {
  if (name !== GatewayDispatchEvents.GuildCreate) return JSON.stringify(data ?? {});
  const known = sharedTexts.get(data as object);
  if (known !== undefined) return known;
  const text = JSON.stringify(data);
  sharedTexts.set(data as object, text);
  return text;
}
