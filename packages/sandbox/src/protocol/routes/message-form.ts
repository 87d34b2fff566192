/** Owns the bodies of messages: what Create, Edit and Execute Webhook have in common (Discord docs, Resources: Message). */
import type { APIEmbed } from 'discord-api-types/v10';
import * as z from 'zod';
import { flag, form, integer, list, readForm, snowflake, text } from '../rest/form.js';
import { type FormProblem, failure, invalidField, invalidForm, type Reply } from '../rest/reply.js';
import type { RestContext } from '../rest/router.js';
import type { AllowedMentions } from '../world/mentions.js';
import type { Attachment } from '../world/types.js';

/** Characters in a message. */
export const MAX_CONTENT_CHARS = 2000;
const MAX_EMBEDS = 10;
/** Characters of all embeds together. */
const MAX_EMBED_CHARS = 6000;
const MAX_NONCE_CHARS = 25;
const MAX_DESCRIPTION_CHARS = 1024;
/** SUPPRESS_EMBEDS and SUPPRESS_NOTIFICATIONS: what a sender may set. */
const SETTABLE_FLAGS = (1 << 2) | (1 << 12);

/** Text that Discord trims before it counts it. */
const longText = (max: number) => text(0, max).transform((value) => value.trim());

const url = () =>
  text(1, 2048).refine((value) => /^(?:https?|attachment):\/\/[^\s]+$/i.test(value), {
    error: 'URL_TYPE_INVALID_URL|Not a well formed URL.',
  });
const media = form({ url: url() });

const embed = form({
  title: longText(256).nullish(),
  description: longText(4096).nullish(),
  url: url().nullish(),
  timestamp: text(1, 40)
    .refine((value) => /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}.*)?$/.test(value), {
      error: 'DATE_TIME_TYPE_PARSE|Could not parse. Should be ISO8601.',
    })
    .nullish(),
  color: integer(0, 0xff_ffff).nullish(),
  footer: form({ text: longText(2048), icon_url: url().nullish() }).nullish(),
  image: media.nullish(),
  thumbnail: media.nullish(),
  author: form({ name: longText(256), url: url().nullish(), icon_url: url().nullish() }).nullish(),
  fields: list(form({ name: text(1, 256), value: text(1, 1024), inline: flag().nullish() }), 25).nullish(),
});

const allowedMentions = form({
  parse: list(
    z.enum(['users', 'roles', 'everyone'], {
      error: `BASE_TYPE_CHOICES|Value must be one of ('users', 'roles', 'everyone').`,
    }),
    3,
  ).nullish(),
  users: list(snowflake(), 100).nullish(),
  roles: list(snowflake(), 100).nullish(),
  replied_user: flag().nullish(),
});

const attachment = form({
  id: z.union([integer(0, 10), snowflake()]),
  filename: text(1, 260).nullish(),
  description: text(0, MAX_DESCRIPTION_CHARS).nullish(),
});

const shared = {
  content: longText(MAX_CONTENT_CHARS).nullish(),
  embeds: list(embed, MAX_EMBEDS).nullish(),
  allowed_mentions: allowedMentions.nullish(),
  attachments: list(attachment, 10).nullish(),
  flags: integer(0, 0x7fff_ffff).nullish(),
};

const isNonce = (value: unknown): boolean =>
  typeof value === 'string' ? value.length <= MAX_NONCE_CHARS : Number.isSafeInteger(value);

/** Create Message. */
export const creation = form({
  ...shared,
  // A form without `payload_json` carries texts only.
  tts: z.preprocess((value) => (value === 'true' ? true : value === 'false' ? false : value), flag()).nullish(),
  nonce: z
    .custom<string | number>(isNonce, {
      error: `BASE_TYPE_MAX_LENGTH|Must be ${MAX_NONCE_CHARS} or fewer in length.`,
    })
    .nullish(),
  enforce_nonce: flag().nullish(),
  message_reference: form({ message_id: snowflake(), fail_if_not_exists: flag().nullish() }).nullish(),
});

/** Execute Webhook. */
export const execution = form({
  ...shared,
  tts: flag().nullish(),
  username: text(1, 80).nullish(),
  avatar_url: text(1, 2048).nullish(),
});

/** Edit Message. */
export const edition = form(shared);

type Shared = z.output<typeof edition>;

/** A message's parts, checked; or what is wrong. */
export type MessageParts =
  | {
      readonly ok: true;
      readonly content: string | undefined;
      readonly embeds: readonly APIEmbed[] | undefined;
      readonly flags: number | undefined;
      readonly allowedMentions: AllowedMentions | undefined;
    }
  | { readonly ok: false; readonly reply: Reply };

/** Reads the form of a message. */
export function readMessage<Schema extends z.ZodType<Shared>>(
  schema: Schema,
  context: RestContext,
):
  | { readonly form: z.output<Schema>; readonly parts: Extract<MessageParts, { ok: true }> }
  | { readonly reply: Reply } {
  const read = readForm(schema, context.body ?? {});
  if (!read.ok) return { reply: invalidForm(read.problems) };
  const { content, embeds, flags, allowed_mentions: allowed } = read.value;
  const problems: FormProblem[] = [];
  for (const kind of ['users', 'roles'] as const) {
    if ((allowed?.[kind]?.length ?? 0) > 0 && allowed?.parse?.includes(kind) === true) {
      const message = `parse:["${kind}"] and ${kind}: [ids...] are mutually exclusive.`;
      problems.push({ path: ['allowed_mentions'], code: 'MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE', message });
    }
  }
  if (JSON.stringify(embeds ?? []).length > MAX_EMBED_CHARS && embedChars(embeds ?? []) > MAX_EMBED_CHARS) {
    const message = `Embed size exceeds maximum size of ${MAX_EMBED_CHARS}`;
    problems.push({ path: ['embeds'], code: 'MAX_EMBED_SIZE_EXCEEDED', message });
  }
  if (problems.length > 0) return { reply: invalidForm(problems) };
  return {
    form: read.value,
    parts: {
      ok: true,
      content: content === undefined ? undefined : (content ?? ''),
      embeds: embeds === undefined ? undefined : (embeds ?? []).map(toEmbed),
      flags: flags == null ? undefined : flags & SETTABLE_FLAGS,
      allowedMentions:
        allowed == null
          ? undefined
          : {
              parse: allowed.parse ?? [],
              users: allowed.users ?? [],
              roles: allowed.roles ?? [],
              repliedUser: allowed.replied_user ?? false,
            },
    },
  };
}

/** Keeps the files of a request and gives their attachments, with the descriptions that the body names. */
export function keepFiles({ world, files, services }: RestContext, described: Shared['attachments']): Attachment[] {
  return files.map((file, index) => {
    const id = world.ids.next();
    const place = Number(/^files\[(\d{1,2})\]$/.exec(file.field)?.[1] ?? index);
    const about = described?.find((it) => String(it.id) === String(place));
    services.keepFile(id, file);
    return {
      id,
      filename: about?.filename ?? file.filename,
      size: file.bytes.byteLength,
      contentType: file.contentType,
      description: about?.description ?? null,
    };
  });
}

/** 50006. */
export const emptyMessage = (): Reply => failure(400, 50006, 'Cannot send an empty message');

/** What is wrong with `attachments` that name no file; `undefined` when all is well. */
export function unknownAttachment(context: RestContext, described: Shared['attachments']): Reply | undefined {
  const at = described?.findIndex(({ id }) => Number(id) >= context.files.length) ?? -1;
  return at === -1
    ? undefined
    : invalidField(['attachments', at, 'id'], 'ATTACHMENT_NOT_FOUND', 'Attachment data not found.');
}

function toEmbed(input: z.output<typeof embed>): APIEmbed {
  const { title, description, url: link, timestamp, color, footer, image, thumbnail, author, fields } = input;
  return {
    type: 'rich' as NonNullable<APIEmbed['type']>,
    ...(title ? { title } : {}),
    ...(description ? { description } : {}),
    ...(link ? { url: link } : {}),
    ...(timestamp ? { timestamp } : {}),
    ...(color == null ? {} : { color }),
    ...(footer == null
      ? {}
      : { footer: { text: footer.text, ...(footer.icon_url ? { icon_url: footer.icon_url } : {}) } }),
    ...(image == null ? {} : { image }),
    ...(thumbnail == null ? {} : { thumbnail }),
    ...(author == null
      ? {}
      : {
          author: {
            name: author.name,
            ...(author.url ? { url: author.url } : {}),
            ...(author.icon_url ? { icon_url: author.icon_url } : {}),
          },
        }),
    ...(fields == null
      ? {}
      : { fields: fields.map(({ name, value, inline }) => ({ name, value, inline: inline ?? false })) }),
  };
}

function embedChars(embeds: readonly z.output<typeof embed>[]): number {
  return embeds.reduce(
    (sum, { title, description, footer, author, fields }) =>
      sum +
      (title?.length ?? 0) +
      (description?.length ?? 0) +
      (footer?.text.length ?? 0) +
      (author?.name.length ?? 0) +
      (fields ?? []).reduce((inner, { name, value }) => inner + name.length + value.length, 0),
    0,
  );
}
