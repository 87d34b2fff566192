/**
 * Owns how bodies are checked: zod schemas that complain in Discord's words. A complaint travels as `CODE|text` in
 * zod's message and is split again in {@link readForm}.
 */
import * as z from 'zod';
import { isSnowflake } from '../snowflake.js';
import type { FormProblem } from './reply.js';

const REQUIRED = 'BASE_TYPE_REQUIRED|This field is required';
const NOT_DICT = 'DICT_TYPE_CONVERT|Only dictionaries may be used in a DictType';
const NOT_LIST = 'LIST_TYPE_CONVERT|Only iterables may be used in a ListType';

/** Longest value that is repeated in a complaint. */
const SHOWN_VALUE_CHARS = 40;

/** Text of a length. */
export const text = (min: number, max: number) => {
  const length =
    min === 0
      ? `BASE_TYPE_MAX_LENGTH|Must be ${max} or fewer in length.`
      : `BASE_TYPE_BAD_LENGTH|Must be between ${min} and ${max} in length.`;
  return z
    .string({
      error: ({ input }) =>
        isAbsent(input) ? REQUIRED : `STRING_TYPE_CONVERT|Could not interpret "${show(input)}" as string.`,
    })
    .min(min, { error: min === 1 ? REQUIRED : length })
    .max(max, { error: length });
};

/** A whole number; Discord takes its decimal text too. */
export const integer = (min: number, max: number) =>
  z.preprocess(
    numeric,
    z
      .int({
        error: ({ input }) => (isAbsent(input) ? REQUIRED : `NUMBER_TYPE_COERCE|Value "${show(input)}" is not int.`),
      })
      .min(min, { error: `NUMBER_TYPE_MIN|int value should be greater than or equal to ${min}.` })
      .max(max, { error: `NUMBER_TYPE_MAX|int value should be less than or equal to ${max}.` }),
  );

/** One of some numbers. */
export const choice = <Value extends number>(values: readonly Value[]) =>
  z.preprocess(
    numeric,
    z.custom<Value>((value) => values.includes(value as Value), {
      error: ({ input }) =>
        isAbsent(input) ? REQUIRED : `BASE_TYPE_CHOICES|Value must be one of {${values.join(', ')}}.`,
    }),
  );

/** True or false. */
export const flag = () =>
  z.boolean({
    error: ({ input }) => (isAbsent(input) ? REQUIRED : `BOOLEAN_TYPE_CONVERT|Must be either true or false.`),
  });

/** An id. */
export const snowflake = () =>
  z.custom<string>(isSnowflake, {
    error: ({ input }) => (isAbsent(input) ? REQUIRED : `NUMBER_TYPE_COERCE|Value "${show(input)}" is not snowflake.`),
  });

/** A permission bit set, as text or number; read as text. */
export const permissions = () =>
  z.preprocess(
    (value) => (typeof value === 'number' ? String(value) : value),
    z.custom<string>(isSnowflake, {
      error: ({ input }) => (isAbsent(input) ? REQUIRED : `NUMBER_TYPE_COERCE|Value "${show(input)}" is not int.`),
    }),
  );

/** A list of at most so many. */
export const list = <Item extends z.ZodType>(item: Item, max: number) =>
  z
    .array(item, { error: ({ input }) => (isAbsent(input) ? REQUIRED : NOT_LIST) })
    .max(max, { error: `BASE_TYPE_MAX_LENGTH|Must be ${max} or fewer in length.` });

/** A body or a part of one. Keys it does not know are ignored, as Discord does. */
export const form = <Shape extends z.ZodRawShape>(shape: Shape) => z.object(shape, { error: NOT_DICT });

/** A body that was read, or what is wrong with it. */
export type FormResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly FormProblem[] };

/** Most complaints in one answer. */
const MAX_PROBLEMS = 50;

/** Reads a body. */
export function readForm<Schema extends z.ZodType>(schema: Schema, body: unknown): FormResult<z.output<Schema>> {
  const read = schema.safeParse(body);
  if (read.success) return { ok: true, value: read.data };
  const problems = read.error.issues.slice(0, MAX_PROBLEMS).map(({ path, message }) => {
    const bar = message.indexOf('|');
    return {
      path: path.map((key) => (typeof key === 'number' ? key : String(key))),
      code: bar === -1 ? 'BASE_TYPE_INVALID' : message.slice(0, bar),
      message: message.slice(bar + 1),
    };
  });
  return { ok: false, problems };
}

const isAbsent = (input: unknown): boolean => input === undefined || input === null;

const numeric = (value: unknown): unknown =>
  typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;

function show(value: unknown): string {
  const shown = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return shown.slice(0, SHOWN_VALUE_CHARS);
}
