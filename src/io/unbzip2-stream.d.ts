// The parts of unbzip2-stream that its types leave out.

declare module 'unbzip2-stream/lib/bit_iterator.js' {
  /** Reads bits (1–32 at a time) from the buffers that it is given; null moves to the next whole byte. */
  interface BitReader {
    (count: number | null): number;
    /** Bytes begun. */
    bytesRead: number;
  }
  export default function bitIterator(nextBuffer: () => Uint8Array): BitReader;
}

declare module 'unbzip2-stream/lib/bzip2.js' {
  type BitReader = ReturnType<typeof import('unbzip2-stream/lib/bit_iterator.js').default>;
  const bzip2: {
    /** Reads a stream's header: its level, 1–9. */
    header(bits: BitReader): number;
    /** Reads a block, byte by byte into `add`; the running checksum, or null after the stream's end. */
    decompress(
      bits: BitReader,
      add: (byte: number) => void,
      work: Int32Array,
      size: number,
      checksum: number,
    ): number | null;
  };
  export default bzip2;
}
