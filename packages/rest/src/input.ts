/** Owns the shapes that methods take, checked before anything is sent. Limits are those of Discord's documentation. */
import * as z from 'zod';
import { type InputIssue, InvalidInputError } from './errors.js';

/** Checks one argument of a method. @throws InvalidInputError naming the fields. */
export function parseInput<Schema extends z.ZodType>(schema: Schema, value: unknown, at = ''): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.slice(0, 20).map((issue): InputIssue => {
    const path = [at, ...issue.path].filter((step) => step !== '');
    return { path: pathText(path), message: issue.message };
  });
  const said = issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
  throw new InvalidInputError(`Nothing was sent. ${said}`, issues);
}

/** Checks an id. @throws InvalidInputError */
export function parseId(name: string, value: unknown): string {
  return parseInput(snowflake, value, name);
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? String(step) : `${text}.${String(step)}`;
  }, '');
}

/** An id: digits in a string, as a number would lose some. */
export const snowflake = z.string().regex(/^\d{1,20}$/, 'must be a snowflake: digits in a string');

/** Name of a channel or role. */
export const name100 = z.string().trim().min(1, 'must not be empty').max(100, 'must be at most 100 characters');

/** Permission bits: as text, the way Discord sends them, or a bigint. */
export const permissionBits = z
  .union([z.string().regex(/^\d{1,40}$/, 'must be digits'), z.bigint().nonnegative(), z.int().nonnegative()])
  .transform(String);

/** One permission overwrite. Discord, Overwrite Object: type 0 is a role, 1 a member. */
export const overwrite = z
  .strictObject({
    id: snowflake,
    type: z.union([z.literal('role'), z.literal('member'), z.literal(0), z.literal(1)]),
    allow: permissionBits.optional(),
    deny: permissionBits.optional(),
  })
  .transform(({ id, type, allow, deny }) => ({
    id,
    type: type === 'role' ? 0 : type === 'member' ? 1 : type,
    ...(allow === undefined ? {} : { allow }),
    ...(deny === undefined ? {} : { deny }),
  }));

/** One permission overwrite, as methods take it. */
export interface PermissionOverwriteInput {
  /** Of the role or member; the guild's own id for @everyone. */
  readonly id: string;
  readonly type: 'role' | 'member' | 0 | 1;
  /** Permission bits, `PermissionFlagsBits.Connect | …`. */
  readonly allow?: string | bigint | number | undefined;
  readonly deny?: string | bigint | number | undefined;
}
