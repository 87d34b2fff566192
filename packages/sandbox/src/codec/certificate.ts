/**
 * Owns the certificate of a sandbox with TLS: an authority of its own and a server certificate that it signed
 * (RFC 5280), made by `node:crypto` alone. For tests: it is made anew each time and its authority's key is thrown away.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP, isIPv4 } from 'node:net';

/** What a server needs, and what its clients are to trust. */
export interface ServerCertificate {
  /** Private key, PEM. */
  readonly key: string;
  /** Certificate and its authority's, PEM. */
  readonly chain: string;
  /** Certificate of the authority, PEM: what clients are given as `ca`. */
  readonly authority: string;
}

const DAY_MS = 86_400_000;
/** Clocks differ: it is valid from a day ago. */
const VALID_BEFORE_MS = DAY_MS;
/** The longest that browsers take. */
const VALID_FOR_MS = 397 * DAY_MS;

/** Makes a certificate for names and addresses. `now` in unix ms. */
export function createCertificate(hosts: readonly string[], now: number): ServerCertificate {
  const authorityKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const serverKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = { name: 'guildkit sandbox authority', publicKey: authorityKeys.publicKey };
  const common = { issuer, signer: authorityKeys.privateKey, now };
  const authority = certificate({
    ...common,
    subject: issuer,
    extensions: [
      extension(OID.basicConstraints, sequence(BOOLEAN_TRUE), true),
      // keyCertSign and cRLSign.
      extension(OID.keyUsage, der(0x03, Buffer.from([1, 0x06])), true),
    ],
  });
  const server = certificate({
    ...common,
    subject: { name: hosts[0] ?? 'localhost', publicKey: serverKeys.publicKey },
    extensions: [
      extension(OID.basicConstraints, sequence(), true),
      // digitalSignature.
      extension(OID.keyUsage, der(0x03, Buffer.from([7, 0x80])), true),
      extension(OID.extendedKeyUsage, sequence(oid(OID.serverAuth))),
      extension(OID.subjectAlternativeName, sequence(...hosts.map(alternativeName))),
    ],
  });
  return {
    key: serverKeys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    chain: pem(server) + pem(authority),
    authority: pem(authority),
  };
}

interface Party {
  readonly name: string;
  readonly publicKey: KeyObject;
}

interface CertificateInput {
  readonly subject: Party;
  readonly issuer: Party;
  readonly signer: KeyObject;
  readonly extensions: readonly Buffer[];
  readonly now: number;
}

/** Object identifiers: ecdsa-with-SHA256 (RFC 5758 §3.2), names and extensions (RFC 5280 §4). */
const OID = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const;

const BOOLEAN_TRUE = Buffer.from([0x01, 0x01, 0xff]);

function certificate({ subject, issuer, signer, extensions, now }: CertificateInput): Buffer {
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const serial = randomBytes(16);
  // Positive, and never with a leading zero byte.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    algorithm,
    name(issuer.name),
    sequence(time(now - VALID_BEFORE_MS), time(now + VALID_FOR_MS)),
    name(subject.name),
    subject.publicKey.export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      sequence(
        ...extensions,
        extension(OID.subjectKeyIdentifier, der(0x04, keyIdentifier(subject.publicKey))),
        extension(OID.authorityKeyIdentifier, sequence(der(0x80, keyIdentifier(issuer.publicKey)))),
      ),
    ),
  );
  const signature = sign('sha256', toBeSigned, signer);
  return sequence(toBeSigned, algorithm, der(0x03, Buffer.from([0]), signature));
}

/** A tagged value (X.690 §8.1). */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const bytes = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...bytes]), content]);
}

const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts);

/** An object identifier (X.690 §8.19). */
function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return der(0x06, Buffer.from(bytes));
}

const name = (commonName: string): Buffer =>
  sequence(der(0x31, sequence(oid(OID.commonName), der(0x0c, Buffer.from(commonName)))));

/** UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5). */
function time(at: number): Buffer {
  const text = new Date(at).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return text < '2050' ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text));
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [BOOLEAN_TRUE] : []), der(0x04, value));
}

/** RFC 5280 §4.2.1.2, method 1: SHA-1 of the public key's bits. */
function keyIdentifier(publicKey: KeyObject): Buffer {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  // An uncompressed P-256 point: 65 bytes at the end.
  return createHash('sha1').update(spki.subarray(-65)).digest();
}

/** A DNS name or an IP address (RFC 5280 §4.2.1.6). */
function alternativeName(host: string): Buffer {
  if (isIP(host) === 0) return der(0x82, Buffer.from(host));
  return der(0x87, isIPv4(host) ? Buffer.from(host.split('.').map(Number)) : ipv6Bytes(host));
}

function ipv6Bytes(address: string): Buffer {
  const [head = '', tail] = address.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const all = [
    ...before,
    ...Array<number>(tail === undefined ? 0 : 8 - before.length - after.length).fill(0),
    ...after,
  ];
  const bytes = Buffer.alloc(16);
  for (const [at, group] of all.entries()) bytes.writeUInt16BE(group, at * 2);
  return bytes;
}

const pem = (bytes: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd()}\n-----END CERTIFICATE-----\n`;
