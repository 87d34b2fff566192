import { createPrivateKey, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { createCertificate } from '../../src/codec/certificate.js';

const NOW = Date.parse('2026-03-01T12:00:00Z');

test('the server’s certificate is for its hosts and signed by the authority', () => {
  const made = createCertificate(['localhost', '127.0.0.1', '::1', '2001:db8::7:0:1', 'fe80:0:0:0:1:2:3:4'], NOW);
  const authority = new X509Certificate(made.authority);
  const server = new X509Certificate(made.chain);
  expect(authority.ca).toBe(true);
  expect(server.ca).toBe(false);
  expect(authority.verify(authority.publicKey)).toBe(true);
  expect(server.verify(authority.publicKey)).toBe(true);
  expect(server.verify(server.publicKey)).toBe(false);
  expect(server.checkIssued(authority)).toBe(true);
  expect(server.checkPrivateKey(createPrivateKey(made.key))).toBe(true);
  expect(server.checkHost('localhost')).toBe('localhost');
  expect(server.checkHost('example.com')).toBeUndefined();
  for (const ip of ['127.0.0.1', '::1', '2001:db8::7:0:1', 'fe80::1:2:3:4']) expect(server.checkIP(ip)).toBe(ip);
  expect(server.checkIP('127.0.0.2')).toBeUndefined();
  expect(server.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  expect(Date.parse(server.validFrom)).toBe(NOW - 86_400_000);
  expect(Date.parse(server.validTo)).toBe(NOW + 397 * 86_400_000);
  expect(made.chain.endsWith(made.authority)).toBe(true);
});

test('each is new, also after 2049', () => {
  const [one, two] = [
    createCertificate(['localhost'], NOW),
    createCertificate(['localhost'], Date.parse('2051-01-02')),
  ];
  const [first, second] = [new X509Certificate(one.chain), new X509Certificate(two.chain)];
  expect(first.serialNumber).not.toBe(second.serialNumber);
  expect(new Date(second.validTo).getUTCFullYear()).toBe(2052);
  expect(second.verify(new X509Certificate(two.authority).publicKey)).toBe(true);
});
