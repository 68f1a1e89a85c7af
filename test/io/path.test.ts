import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodePath, encodePath, fsPath } from '../../src/io/path.js';

it('any bytes survive the way into a string and back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect(encodePath(decodePath(bytes))).toEqual(Buffer.from(bytes));
    }),
  );
});

it('plain text stays a string for fs, escaped bytes become a Buffer', () => {
  expect(fsPath('/tmp/größe 😀')).toBe('/tmp/größe 😀');
  expect(fsPath(decodePath(Buffer.from([0x61, 0xff])))).toEqual(Buffer.from([0x61, 0xff]));
});

it('decodes as Python decodes with surrogateescape', () => {
  expect(decodePath(Buffer.from([0xe2, 0x82, 0x41]))).toBe('\udce2\udc82A');
  expect(decodePath(Buffer.from([0xed, 0xa0, 0x80]))).toBe('\udced\udca0\udc80');
});
