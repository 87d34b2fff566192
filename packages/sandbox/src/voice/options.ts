/** Owns the options of a sandbox's voice side. */
import { check, resolveOptions } from '@guildkit/core';
import { ENCRYPTION_MODES, type EncryptionMode, isEncryptionMode } from '@guildkit/rtp';

/** Settings of the voice gateway and the media server. */
export interface VoiceOptions {
  /**
   * End-to-end encryption: `true` refuses clients without it (4017), as Discord does since March 2026; `'prefer'` goes
   * without while someone cannot; `false` offers none. Stage channels have none.
   *
   * @defaultValue `true`
   */
  readonly dave?: boolean | 'prefer' | undefined;
  /** What Ready offers, the server's preference first. @defaultValue both AEAD modes, in Discord's order */
  readonly modes?: readonly EncryptionMode[] | undefined;
  /** TCP port of the voice gateway; 0 for a free one. @defaultValue `0` */
  readonly port?: number | undefined;
  /** UDP port of the media server; 0 for a free one. @defaultValue `0` */
  readonly udpPort?: number | undefined;
  /** Binds the media server to IPv6 loopback. @defaultValue `false` */
  readonly ipv6?: boolean | undefined;
  /** What Hello asks for; 4009 after half an interval more, at least 5 s more. @defaultValue `13_750`, as Discord */
  readonly heartbeatIntervalMs?: number | undefined;
  /** How long a session waits for Resume. @defaultValue `60_000` */
  readonly resumeWindowMs?: number | undefined;
  /** Messages a client may send in a minute; one more closes with 4021. @defaultValue `1_200` */
  readonly messageLimit?: number | undefined;
}

/** The options with their defaults. */
export type VoiceSettings = { readonly [Key in keyof VoiceOptions]-?: Exclude<VoiceOptions[Key], undefined> };

const DEFAULTS = {
  dave: true,
  modes: ['aead_aes256_gcm_rtpsize', 'aead_xchacha20_poly1305_rtpsize'],
  port: 0,
  udpPort: 0,
  ipv6: false,
  heartbeatIntervalMs: 13_750,
  resumeWindowMs: 60_000,
  messageLimit: 1_200,
} satisfies VoiceSettings as VoiceSettings;

/** Fills in the defaults. @throws TypeError for an option that is unknown or out of range. */
export function resolveVoiceOptions(options: VoiceOptions | undefined): VoiceSettings {
  return resolveOptions<VoiceSettings>('createSandbox: voice', DEFAULTS, options, {
    dave: (value) => (typeof value === 'boolean' || value === 'prefer' ? undefined : "must be true, false or 'prefer'"),
    modes: (value) =>
      Array.isArray(value) && value.length > 0 && value.every((mode) => isEncryptionMode(String(mode)))
        ? undefined
        : `must be a list of ${ENCRYPTION_MODES.join(', ')}`,
    port: check.integer(0, 65_535),
    udpPort: check.integer(0, 65_535),
    ipv6: check.boolean(),
    heartbeatIntervalMs: check.integer(10, 3_600_000),
    resumeWindowMs: check.integer(0, 86_400_000),
    messageLimit: check.integer(1, 1_000_000),
  });
}
