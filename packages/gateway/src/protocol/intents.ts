/** Owns intents by name (Discord docs, Gateway: Gateway Intents). */

/** Bit of each intent. */
export const INTENTS = {
  Guilds: 1 << 0,
  GuildMembers: 1 << 1,
  GuildModeration: 1 << 2,
  GuildExpressions: 1 << 3,
  GuildIntegrations: 1 << 4,
  GuildWebhooks: 1 << 5,
  GuildInvites: 1 << 6,
  GuildVoiceStates: 1 << 7,
  GuildPresences: 1 << 8,
  GuildMessages: 1 << 9,
  GuildMessageReactions: 1 << 10,
  GuildMessageTyping: 1 << 11,
  DirectMessages: 1 << 12,
  DirectMessageReactions: 1 << 13,
  DirectMessageTyping: 1 << 14,
  MessageContent: 1 << 15,
  GuildScheduledEvents: 1 << 16,
  AutoModerationConfiguration: 1 << 20,
  AutoModerationExecution: 1 << 21,
  GuildMessagePolls: 1 << 24,
  DirectMessagePolls: 1 << 25,
} as const satisfies Readonly<Record<string, number>>;

/** Name of an intent, as discord-api-types spells it. */
export type GatewayIntentName = keyof typeof INTENTS;

/** Intents that must be switched on in the developer portal (docs, Gateway: Privileged Intents). */
const PRIVILEGED_INTENTS = ['GuildMembers', 'GuildPresences', 'MessageContent'] as const satisfies readonly [
  ...GatewayIntentName[],
];

/** Adds intents up; a number is taken as it is. */
export function intentBits(intents: number | readonly GatewayIntentName[]): number {
  return typeof intents === 'number' ? intents : intents.reduce((bits, name) => bits | INTENTS[name], 0);
}

/** Which privileged intents a bit set asks for. */
export function privilegedIntentsIn(bits: number): GatewayIntentName[] {
  return PRIVILEGED_INTENTS.filter((name) => (bits & INTENTS[name]) !== 0);
}
