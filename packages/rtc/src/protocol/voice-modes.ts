/** Owns the choice of the transport encryption. AEAD always comes before the legacy modes, whatever was asked for. */
import { type EncryptionMode, traitsOf } from '@guildkit/rtp';

/** The first of our modes that the server offers. */
export function chooseMode(
  offered: readonly string[],
  preferred: readonly EncryptionMode[],
): EncryptionMode | undefined {
  return aeadFirst(preferred).find((mode) => offered.includes(mode));
}

/** Keeps the order but for legacy modes, which go last: Discord refuses them, and their headers are not authenticated. */
export function aeadFirst(modes: readonly EncryptionMode[]): EncryptionMode[] {
  return [...modes.filter((mode) => !traitsOf(mode).legacy), ...modes.filter((mode) => traitsOf(mode).legacy)];
}
