/** Owns the version that the User-Agent names. */

declare const __GUILDKIT_VERSION__: string | undefined;

/** The package's version: put in by the build, `0.0.0-source` where the source itself runs. */
export const VERSION: string = typeof __GUILDKIT_VERSION__ === 'string' ? __GUILDKIT_VERSION__ : '0.0.0-source';
