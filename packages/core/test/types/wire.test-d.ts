/** The hand-written wire types and the schemas say the same. Checked by `tsc`; there is nothing to run. */
import type {
  AuthAck,
  ClientFrame,
  CommandAck,
  ControlEvents,
  Envelope,
  ErrorPayload,
  HttpErrorBody,
  MediaControl,
  Position,
  PostedFrame,
  RoomEvents,
  RoomSnapshot,
  SubscribeAck,
} from '@guildkit/core/wire';
import type {
  ackSchemas,
  clientFrameSchema,
  controlEventSchemas,
  envelopeSchema,
  errorPayloadSchema,
  httpErrorBodySchema,
  mediaControlSchema,
  positionSchema,
  postedFrameSchema,
  roomEventSchemas,
  roomSnapshotSchema,
} from '@guildkit/core/wire/schema';
import type * as z from 'zod/mini';

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type MutuallyAssignable<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Infer<T extends z.ZodMiniType> = DeepReadonly<z.output<T>>;
function assertType<_T extends true>(): void {}

assertType<MutuallyAssignable<Infer<typeof positionSchema>, Position>>();
assertType<MutuallyAssignable<Infer<typeof clientFrameSchema>, ClientFrame>>();
assertType<MutuallyAssignable<Infer<typeof envelopeSchema>, Envelope>>();
assertType<MutuallyAssignable<Infer<typeof roomSnapshotSchema>, RoomSnapshot>>();
assertType<MutuallyAssignable<Infer<typeof ackSchemas.auth>, AuthAck>>();
assertType<MutuallyAssignable<Infer<typeof ackSchemas.subscribe>, SubscribeAck>>();
assertType<MutuallyAssignable<Infer<typeof ackSchemas.command>, CommandAck>>();
assertType<MutuallyAssignable<Infer<typeof errorPayloadSchema>, ErrorPayload>>();
assertType<MutuallyAssignable<Infer<typeof httpErrorBodySchema>, HttpErrorBody>>();
assertType<MutuallyAssignable<Infer<typeof postedFrameSchema>, PostedFrame>>();
assertType<MutuallyAssignable<Infer<typeof mediaControlSchema>, MediaControl>>();
assertType<Equal<keyof typeof roomEventSchemas, keyof RoomEvents>>();
assertType<Equal<keyof typeof controlEventSchemas, keyof ControlEvents>>();
assertType<MutuallyAssignable<{ readonly [K in keyof RoomEvents]: Infer<(typeof roomEventSchemas)[K]> }, RoomEvents>>();
assertType<
  MutuallyAssignable<{ readonly [K in keyof ControlEvents]: Infer<(typeof controlEventSchemas)[K]> }, ControlEvents>
>();
