/** Owns which certificates this process trusts beside the system's. */
import * as tls from 'node:tls';

/** Node 24 has these; the types are of the oldest supported Node. */
const { getCACertificates, setDefaultCACertificates } = tls as unknown as {
  getCACertificates(kind: 'default'): string[];
  setDefaultCACertificates(authorities: readonly string[]): void;
};

/**
 * Trusts one more authority in every TLS connection of this process.
 *
 * @param pem The certificate; without one nothing changes.
 * @returns Takes the trust back.
 */
export function trustAuthority(pem: string | undefined): () => void {
  const before = getCACertificates('default');
  if (pem !== undefined) setDefaultCACertificates([...before, pem]);
  return () => setDefaultCACertificates(before);
}
