/** Owns what the worker wants of a way to the app, whichever it is. */
import type { DomainEvent } from '@guildkit/core';

/** Told of each event's fate. */
export interface DeliveryListener {
  sent(eventId: string): void;
  /** The app has it, or it was given up for good. */
  taken(eventId: string): void;
}

/** Numbers for `/health`. */
export type DeliveryHealth =
  | {
      readonly kind: 'webhook';
      readonly queued: number;
      readonly delivered: number;
      readonly retries: number;
      readonly dropped: number;
      /** Unix ms of the app's last answer. */
      readonly lastAnswerAt: number | undefined;
    }
  | {
      readonly kind: 'link';
      readonly apps: number;
      /** Events that no app has heard yet. */
      readonly queued: number;
      readonly delivered: number;
      readonly commands: number;
      readonly unauthorized: number;
    };

/** A way to the app. */
export interface Delivery {
  deliver(event: DomainEvent): void;
  health(): DeliveryHealth;
  /** Tells operators at the app's side, where there is a way to. */
  tell(trouble: { readonly code: string; readonly message: string } | { readonly retryAfterMs: number }): void;
  /** Takes no more; what is under way has so long. */
  close(drainMs: number): Promise<void>;
}
