/** Owns how a fault becomes a control route: its options are the body, what it refuses is the body's fault. */
import type * as z from 'zod';
import { BadBody, type ControlRoute, read } from './control-route.js';
import type { Faults } from './faults.js';

/** Makes a route of a fault. */
export function faultRoute<Schema extends z.ZodType>(
  name: string,
  summary: string,
  schema: Schema,
  act: (faults: Faults, body: z.output<Schema>) => void,
): ControlRoute {
  return {
    method: 'POST',
    path: `/faults/${name}`,
    summary,
    async handle({ faults }, _params, body) {
      const options = read(schema, body);
      try {
        act(faults, options);
      } catch (error) {
        if (error instanceof RangeError) throw new BadBody(error.message);
        throw error;
      }
    },
  };
}
