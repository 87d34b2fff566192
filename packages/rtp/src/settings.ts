/** Owns the type of options after `resolveOptions`. */

/** Options with their defaults filled in; `Open` are those that have none. */
export type Settings<Options, Open extends keyof Options = never> = {
  readonly [K in keyof Options]-?: K extends Open ? Options[K] | undefined : Exclude<Options[K], undefined>;
};
