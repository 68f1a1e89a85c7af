// Newlines on the way in: text in pieces, `\r\n` never split over two of them, and the kinds seen so far.
import type { DecoderState, IncrementalDecoder } from './decoders.js';

const SEEN_CR = 1;
const SEEN_LF = 2;
const SEEN_CRLF = 4;
const SEEN_ALL = 7;

/** The newlines met: none, one kind, or several in the order `\r`, `\n`, `\r\n`. */
export type Newlines = null | string | string[];

/** Decodes through `decoder`; `translate` turns `\r\n` and `\r` into `\n`. */
export class NewlineDecoder implements IncrementalDecoder {
  readonly #decoder: IncrementalDecoder;
  readonly #translate: boolean;
  #pendingCr = false;
  #seen = 0;

  constructor(decoder: IncrementalDecoder, translate: boolean) {
    this.#decoder = decoder;
    this.#translate = translate;
  }

  decode(input: Uint8Array, final: boolean): string {
    let text = this.#decoder.decode(input, final);
    if (this.#pendingCr && (final || text.length > 0)) {
      text = `\r${text}`;
      this.#pendingCr = false;
    }
    if (!final && text.endsWith('\r')) {
      text = text.slice(0, -1);
      this.#pendingCr = true;
    }
    if (!text.includes('\r')) {
      if ((this.#seen & SEEN_LF) === 0 && text.includes('\n')) this.#seen |= SEEN_LF;
      return text;
    }
    if (this.#seen !== SEEN_ALL) this.#look(text);
    return this.#translate ? text.replaceAll('\r\n', '\n').replaceAll('\r', '\n') : text;
  }

  #look(text: string): void {
    if (text.includes('\r\n')) this.#seen |= SEEN_CRLF;
    if ((this.#seen & SEEN_CR) === 0 && /\r(?!\n)/.test(text)) this.#seen |= SEEN_CR;
    if ((this.#seen & SEEN_LF) === 0 && /(?<!\r)\n/.test(text)) this.#seen |= SEEN_LF;
  }

  get newlines(): Newlines {
    const kinds: string[] = [];
    if (this.#seen & SEEN_CR) kinds.push('\r');
    if (this.#seen & SEEN_LF) kinds.push('\n');
    if (this.#seen & SEEN_CRLF) kinds.push('\r\n');
    return kinds.length === 0 ? null : kinds.length === 1 ? kinds[0]! : kinds;
  }

  getState(): DecoderState {
    const { pending, flags } = this.#decoder.getState();
    return { pending, flags: flags * 2 + (this.#pendingCr ? 1 : 0) };
  }

  setState(state: DecoderState): void {
    this.#pendingCr = (state.flags & 1) === 1;
    this.#decoder.setState({ pending: state.pending, flags: state.flags >> 1 });
  }

  reset(): void {
    this.#seen = 0;
    this.#pendingCr = false;
    this.#decoder.reset();
  }
}
