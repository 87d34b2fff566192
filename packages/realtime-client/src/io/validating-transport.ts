/** Owns the check of payloads against schemas, for those who want it: a page that does not loads none of this. */
import type { Envelope } from '@guildkit/core/wire';
import { parseFrame } from '../protocol/frame.js';
import type { Transport } from './transport.js';

/** What the client asks of a schema: zod, zod/mini and many others fit. */
export interface PayloadSchema {
  /** Says whether a value fits; never throws. */
  safeParse(value: unknown): { readonly success: boolean };
}

/**
 * Checks the payloads that a transport brings. One that does not fit is taken away: the client reports it and
 * fetches the room's state anew.
 *
 * @param schemas By event name: `{ ...roomEventSchemas, ...controlEventSchemas }` of `@guildkit/core/wire/schema`.
 * Events without one pass.
 */
export function validatingTransport(transport: Transport, schemas: Readonly<Record<string, PayloadSchema>>): Transport {
  const fits = ({ type, event, payload }: Envelope): boolean =>
    type !== 'event' || !Object.hasOwn(schemas, event) || schemas[event]?.safeParse(payload).success === true;
  return {
    connect: ({ onMessage, onClose }, hint) =>
      transport.connect(
        {
          onMessage(data) {
            const frame = parseFrame(data);
            onMessage(frame === undefined || fits(frame) ? data : JSON.stringify({ ...frame, payload: undefined }));
          },
          onClose,
        },
        hint,
      ),
  };
}
