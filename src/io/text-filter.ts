// Text from one encoding, newline and error handling to another, as a step of the pump. An error names the place in the
// source, whatever stood between.

import { type ErrorMode, indexAfter } from './codec-errors.js';
import { type Codec, findCodec, type IncrementalEncoder } from './codecs.js';
import type { DecoderState, IncrementalDecoder } from './decoders.js';
import { UnicodeDecodeError, UnicodeEncodeError } from './errors.js';
import { SluiceError } from './failure.js';
import type { Filter } from './filter.js';
import { NewlineDecoder } from './newlines.js';

export const newlineStyles = ['keep', 'lf', 'crlf', 'cr'] as const;
export type NewlineStyle = (typeof newlineStyles)[number];

export interface TextConversion {
  /**
   * The source's encoding. Without it and `toEncoding` the bytes of the text stay as they are, whatever encoding that keeps ASCII's bytes
   * they are in, and only newlines change.
   */
  encoding?: string | undefined;
  /** The destination's encoding; default UTF-8, as in `tail`. */
  toEncoding?: string | undefined;
  /** LF, CRLF and CR all end a line, and are written as this; `keep`: as they were. */
  newline?: NewlineStyle | undefined;
  errors?: ErrorMode | undefined;
  /** End text that does not end with a newline with one. */
  finalNewline?: boolean | undefined;
}

const newlines = { keep: '\n', lf: '\n', crlf: '\r\n', cr: '\r' };

/**
 * The step for a source of that name. Throws `ERR_UNKNOWN_ENCODING`. Reading throws a SluiceError with code
 * `ERR_UNICODE_DECODE` or `ERR_UNICODE_ENCODE` that names the offset in bytes of the first bad sequence of the source.
 * `behind` other text no byte order mark is written.
 */
export function textFilter(conversion: TextConversion, name: string, behind = false): Filter {
  return new TextFilter(conversion, name, behind);
}

class TextFilter implements Filter {
  readonly #name: string;
  readonly #bytewise: boolean;
  readonly #from: Codec;
  readonly #to: Codec;
  readonly #errors: ErrorMode;
  readonly #newline: NewlineStyle;
  readonly #final: boolean;
  readonly #decoder: IncrementalDecoder;
  readonly #translating: IncrementalDecoder;
  readonly #encoder: IncrementalEncoder;
  /** Bytes of the source that were taken. */
  #taken = 0;
  #last = '';
  #firstNewline: string | undefined;

  constructor(conversion: TextConversion, name: string, behind: boolean) {
    const { encoding, toEncoding, newline = 'keep', errors, finalNewline = false } = conversion;
    this.#name = name;
    this.#bytewise = encoding === undefined && toEncoding === undefined && errors === undefined;
    this.#from = findCodec(encoding ?? (this.#bytewise ? 'latin-1' : 'utf-8'));
    this.#to = findCodec(toEncoding ?? (this.#bytewise ? 'latin-1' : 'utf-8'));
    this.#errors = errors ?? 'strict';
    this.#newline = newline;
    this.#final = finalNewline;
    this.#decoder = this.#from.decoder(this.#errors);
    // Also where nothing is translated, it never parts a CR from its LF.
    const whole = newline !== 'keep' || this.#final;
    this.#translating = whole ? new NewlineDecoder(this.#decoder, newline !== 'keep') : this.#decoder;
    this.#encoder = this.#to.encoder(this.#errors);
    if (behind) this.#encoder.atStart = false;
  }

  push(chunk: Uint8Array): Uint8Array[] {
    if (this.#bytewise && this.#taken === 0) this.#expectNarrow(chunk);
    return this.#convert(chunk, false);
  }

  end(): Uint8Array[] {
    const pieces = this.#convert(new Uint8Array(0), true);
    if (this.#final && this.#last !== '' && this.#last !== '\n' && this.#last !== '\r')
      pieces.push(
        this.#encoder.encode(
          this.#newline === 'keep' ? (this.#firstNewline ?? newlines.keep) : newlines[this.#newline],
        ),
      );
    return pieces;
  }

  #convert(chunk: Uint8Array, final: boolean): Uint8Array[] {
    const before = this.#decoder.getState();
    const start = this.#taken - before.pending.length;
    this.#taken += chunk.length;
    try {
      const text = this.#lines(this.#translating.decode(chunk, final));
      return text === '' ? [] : [this.#encoder.encode(text)];
    } catch (error) {
      if (error instanceof UnicodeDecodeError) throw this.#undecodable(error, start);
      if (error instanceof UnicodeEncodeError) throw this.#unencodable(error, chunk, final, before);
      throw error;
    }
  }

  #lines(text: string): string {
    if (this.#final && text !== '') {
      this.#last = text.at(-1)!;
      this.#firstNewline ??= /\r\n|\n|\r/.exec(text)?.[0];
    }
    return this.#newline === 'crlf' || this.#newline === 'cr' ? text.replaceAll('\n', newlines[this.#newline]) : text;
  }

  #undecodable({ object, start, end, reason }: UnicodeDecodeError, base: number): SluiceError {
    const bytes = Array.from(object.subarray(start, end), (byte) => `0x${byte.toString(16).padStart(2, '0')}`);
    const { name, wider } = this.#from;
    const hint = wider ? `; ${wider} has more characters` : '';
    return new SluiceError(
      `not valid ${name} at byte offset ${base + start}: ${bytes.slice(0, 4).join(' ')} (${reason}${hint})`,
      { code: 'ERR_UNICODE_DECODE', path: this.#name },
    );
  }

  /** Decodes the piece again, a byte at a time, for the place of the first character that could not be written. */
  #unencodable(error: UnicodeEncodeError, chunk: Uint8Array, final: boolean, before: DecoderState): SluiceError {
    const at = indexAfter(error.object, 0, error.start);
    const code = error.object.codePointAt(at)!;
    const decoder = this.#from.decoder(this.#errors);
    const encoder = this.#to.encoder('strict');
    decoder.setState(before);
    let begin = this.#taken - chunk.length - before.pending.length;
    for (let i = 0; i <= chunk.length; i++) {
      const text = decoder.decode(chunk.subarray(i, i + 1), final && i === chunk.length);
      if (text === '') continue;
      try {
        encoder.encode(text);
      } catch {
        break;
      }
      begin = this.#taken - chunk.length + i + 1;
    }
    const hex = code.toString(16).toUpperCase().padStart(4, '0');
    return new SluiceError(
      `${this.#to.name} has no U+${hex} (${JSON.stringify(String.fromCodePoint(code))}), at byte offset ${begin} of the source`,
      { code: 'ERR_UNICODE_ENCODE', path: this.#name },
    );
  }

  /** Newlines of a text in two- or four-byte units are not to be found among its bytes. */
  #expectNarrow(head: Uint8Array): void {
    const [a, b, c, d] = head;
    const wide =
      a === 0xff && b === 0xfe
        ? c === 0 && d === 0
          ? 'utf-32'
          : 'utf-16'
        : a === 0xfe && b === 0xff
          ? 'utf-16'
          : a === 0 && b === 0 && c === 0xfe && d === 0xff
            ? 'utf-32'
            : undefined;
    if (wide)
      throw new SluiceError(`starts with the byte order mark of ${wide}: say --encoding ${wide}`, {
        code: 'ERR_UNICODE_DECODE',
        path: this.#name,
      });
  }
}
