/** Owns what a control route is, and how its body is read. */
import type * as z from 'zod';
import type { SandboxChannels } from './channels.js';
import type { Faults } from './faults.js';
import type { People } from './people.js';
import type { RoutePattern } from './protocol/rest/router.js';
import type { SandboxState } from './state.js';
import type { Traffic } from './traffic.js';
import type { SandboxVoice } from './voice/inspection.js';

/** What the API acts on. */
export interface ControlContext {
  readonly people: People;
  readonly channels: SandboxChannels;
  readonly faults: Faults;
  readonly voice: SandboxVoice;
  readonly traffic: Traffic;
  describe(): Readonly<Record<string, unknown>>;
  /** The state, for `createSandbox({ state })`. */
  save(): SandboxState;
  port(): number;
}

/** One line of the control API's table. */
export interface ControlRoute extends RoutePattern {
  readonly summary: string;
  handle(context: ControlContext, params: Readonly<Record<string, string>>, body: unknown): Promise<unknown>;
}

/** A body that does not fit its route. */
export class BadBody extends Error {}

/** Reads a body. @throws BadBody naming the field. */
export function read<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const result = schema.safeParse(body ?? {});
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new BadBody(`${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'invalid'}`);
}
