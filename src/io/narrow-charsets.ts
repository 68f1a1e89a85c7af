// Charsets that iconv-lite has in a wider form under the same name, as browsers do: Shift_JIS is not Windows' code page 932. As in Python
// and iconv, the name means the charset, and the wider one has a name of its own; damaged text is more often found out that way.

export interface NarrowCharset {
  /** The wider charset, as users should name it, where there is one to name. */
  readonly wider: string | undefined;
  /** The name of the base among iconv-lite's. */
  readonly base: string;
  /** Are all characters of `data`, which is valid in the base, this charset's too? */
  includes(data: Uint8Array): boolean;
  /** The base's text as this charset's, and back: the same bytes stand for other characters. */
  fromBase(text: string): string;
  toBase(text: string): string;
}

interface Definition {
  wider?: string;
  base: string;
  /** Bytes above 0x7f that are a character by themselves. */
  single?: [number, number];
  /** Pairs that are not in it: `leads:trails`, ranges in hexadecimal. What the base does not have either may be among them. */
  absent: string;
  /** Characters of the base, and those that stand in their place. */
  swapped?: [string, string];
}

const wholeRows = '00-ff';
const japanese: [string, string] = ['～∥－￠￡￢', '〜‖−¢£¬'];
const definitions: Record<string, Definition> = {
  shiftjis: {
    wider: 'cp932',
    base: 'shift_jis',
    single: [0xa1, 0xdf],
    absent: `80:${wholeRows} 87:${wholeRows} ed-fc:${wholeRows}`,
    swapped: japanese,
  },
  eucjp: { base: 'euc-jp', absent: `ad:${wholeRows} f9-fc:${wholeRows}`, swapped: japanese },
  euckr: { wider: 'cp949', base: 'cp949', absent: 'a1-fe:00-a0 81-a0:00-ff a4:d4' },
  gb2312: {
    wider: 'gbk',
    base: 'gbk',
    absent: `80:${wholeRows} 81-a0:${wholeRows} aa-af:${wholeRows} f8-fe:${wholeRows} a1-f7:00-a0 a2:a1-b0,e3-e4,ef-f0,fd-fe a4:f4-fe a5:f7-fe
      a6:b9-c0,d9-fe a7:c2-d0,f2-fe a8:bb-c4,ea-fe a9:a1-a3,f0-fe d7:fa-fe`,
    swapped: ['·—', '・―'],
  },
  gbk: {
    wider: 'gb18030',
    base: 'gbk',
    absent: `80:${wholeRows} a1-a7:00-a0 aa-af:a1-fe f8-fd:a1-fe a2:ab-b0,e3-e4,ef-f0,fd-fe a4:f4-fe a5:f7-fe a6:b9-c0,d9-df,ec-ed,f3,f6-fe
      a7:c2-d0,f2-fe a8:96-a0,bc,bf,c1-c4,ea-fe a9:58,5b,5d-5f,89-95,97-a3,f0-fe d7:fa-fe fe:50-fe`,
  },
  gb18030: { base: 'gb18030', absent: `80:${wholeRows}` },
};

/** Names by letters and digits alone: Python's, and the IANA's. */
const names: Record<string, string[]> = {
  shiftjis: ['shiftjis', 'sjis', 'csshiftjis', 'xsjis'],
  eucjp: ['eucjp', 'ujis'],
  euckr: [
    'euckr',
    'korean',
    'ksc5601',
    'ksc56011987',
    'ksc56011989',
    'ksx1001',
    'isoir149',
    'cseuckr',
    'csksc56011987',
  ],
  gb2312: [
    'gb2312',
    'gb231280',
    'gb23121980',
    'chinese',
    'csgb2312',
    'csiso58gb231280',
    'euccn',
    'eucgb2312cn',
    'isoir58',
  ],
  gbk: ['gbk', 'xgbk', '936', 'cp936', 'ms936', 'windows936'],
  gb18030: ['gb18030', 'gb180302000'],
};

const made = new Map<string, NarrowCharset>();

/** The charset of that name (letters and digits, small), if it is one of those. */
export function narrowCharset(key: string): NarrowCharset | undefined {
  const id = Object.keys(names).find((each) => names[each]!.includes(key));
  if (id === undefined) return undefined;
  if (!made.has(id)) made.set(id, narrowed(definitions[id]!));
  return made.get(id);
}

/** What has more than the charset of that name, if it is one of those. */
export const widerCharset = (name: string): string | undefined =>
  narrowCharset(name.toLowerCase().replace(/[^a-z0-9]/g, ''))?.wider;

function narrowed({ wider, base, single: [from, to] = [0x100, 0], absent, swapped }: Definition): NarrowCharset {
  const pairs = new Uint8Array(0x10000);
  for (const rule of absent.split(/\s+/)) {
    const [leads, trails] = rule.split(':') as [string, string];
    for (const [a, b] of trails.split(',').map(range))
      for (let [lead, last] = range(leads); lead <= last; lead++) pairs.fill(1, (lead << 8) + a, (lead << 8) + b + 1);
  }
  const lengthAt = (data: Uint8Array, i: number): number => {
    const lead = data[i]!;
    if (lead < 0x80 || (lead >= from && lead <= to)) return 1;
    // (Four bytes in GB 18030 are two pairs as well, of which none is absent.)
    return base === 'euc-jp' && lead === 0x8f ? 3 : 2;
  };
  const swap = swapped ? [substitution(swapped[0], swapped[1]), substitution(swapped[1], swapped[0])] : undefined;
  return {
    wider,
    base,
    includes(data) {
      for (let i = 0; i < data.length; ) {
        const length = lengthAt(data, i);
        if (length === 2 && pairs[(data[i]! << 8) | (data[i + 1] ?? 0)] === 1) return false;
        i += length;
      }
      return true;
    },
    fromBase: swap?.[0] ?? ((text) => text),
    toBase: swap?.[1] ?? ((text) => text),
  };
}

function range(text: string): [number, number] {
  const [first, last = first] = text.split('-').map((each) => Number.parseInt(each, 16));
  return [first!, last!];
}

function substitution(from: string, to: string): (text: string) => string {
  const of = new Map([...from].map((character, i) => [character, to[i]!]));
  const any = new RegExp(`[${from}]`, 'g');
  return (text) => text.replace(any, (character) => of.get(character)!);
}
