// Every recipe of docs/recipes.md, run as it stands there.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bin, type Ended, root, shell, temporary } from '../helpers/sluice.js';

const page = readFileSync(join(root, 'docs/recipes.md'), 'utf8');
const recipes = new Map(
  [...page.matchAll(/^### (.*)\n[\s\S]*?```sh\n([\s\S]*?)```/gm)].map(([, title, line]) => [title!, line!]),
);

interface Kitchen {
  write(name: string, content: string | Uint8Array): void;
  read(name: string): string;
  path(name: string): string;
}
interface Case {
  before(kitchen: Kitchen): void;
  /** What stands for the programs that a recipe only speaks of. */
  programs?: string;
  after(kitchen: Kitchen, ended: Ended): void;
  /** It needs native calls. */
  native?: true;
  status?: number;
}

const lines = (count: number): string => Array.from({ length: count }, (_, i) => `line ${i + 1}\n`).join('');

const cases: Record<string, Case> = {
  'Edit a JSON file in place': {
    before: ({ write }) => write('config.json', '{"version": 1}'),
    // jq, as far as it is needed here.
    programs: `jq() { node -e 'const o = JSON.parse(require("fs").readFileSync(0)); o.version = 2; console.log(JSON.stringify(o))'; }`,
    after: ({ read }) => expect(JSON.parse(read('config.json'))).toEqual({ version: 2 }),
  },
  'Sort a file into itself': {
    before: ({ write }) => write('names.txt', 'b\na\nb\n'),
    after: ({ read }) => expect(read('names.txt')).toBe('a\nb\n'),
  },
  'Write a configuration only if it is valid': {
    before: ({ write }) => write('config.js', 'old'),
    programs: "generate() { echo 'this is no JavaScript ('; }",
    after: ({ read }) => expect(read('config.js')).toBe('old'),
    status: 3,
  },
  'Replace a file only if the command that makes it succeeds': {
    before: ({ write }) => write('report.html', 'old'),
    programs: 'make-report() { echo half; return 1; }; export -f make-report',
    after: ({ read }) => expect(read('report.html')).toBe('old'),
    status: 1,
  },
  'Keep a pipeline that died half-way from passing for whole': {
    before: ({ write }) => write('dump.sql', 'old\n'),
    programs: 'dump-database() { echo half; return 1; }',
    after: ({ read }) => expect(read('dump.sql')).toBe('old\n'),
    status: 3,
  },
  'Write a file only if it changes': {
    before: ({ write, path }) => {
      write('version.h', '#define V 1\n');
      execFileSync('touch', ['-d', '2001-01-01', path('version.h')]);
    },
    programs: "generate() { echo '#define V 1'; }",
    after: ({ path }) => expect(statSync(path('version.h')).mtime.getFullYear()).toBe(2001),
  },
  'Add a line that is there as a whole or not at all': {
    before: ({ write }) => write('environment', 'A=1\n'),
    after: ({ read }) => expect(read('environment')).toBe('A=1\nPATH=/opt/bin:$PATH\n'),
  },
  'Copy to a USB stick and be sure of it': {
    before: ({ write, path }) => {
      write('disk.img', lines(1000));
      mkdirSync(path('stick'));
    },
    after: ({ read }) => expect(read('stick/disk.img')).toBe(lines(1000)),
  },
  'Download without leaving half a file': {
    before: () => {},
    programs: 'curl() { echo archive; }',
    after: ({ read }) => expect(read('archive.tgz')).toBe('archive\n'),
  },
  'Copy and print a checksum, from one read': {
    before: ({ write }) => write('disk.img', lines(10)),
    after: ({ read }, { out }) => {
      expect(out).toContain('backup.img: OK');
      expect(read('backup.img')).toBe(lines(10));
    },
  },
  'Back up a directory with everything that belongs to it': {
    before: ({ write, path }) => {
      mkdirSync(path('project/src'), { recursive: true });
      write('project/src/a', 'a');
      symlinkSync('src/a', path('project/link'));
      execFileSync('touch', ['-d', '2001-01-01', path('project/src/a')]);
    },
    after: ({ path }) => {
      expect(readlinkSync(path('backup/link'))).toBe('src/a');
      expect(statSync(path('backup/src/a')).mtime.getFullYear()).toBe(2001);
    },
  },
  'Convert a file to LF line ends, in place': {
    before: ({ write }) => write('script.sh', 'a\r\nb\r\n'),
    after: ({ read }) => expect(read('script.sh')).toBe('a\nb\n'),
  },
  'Convert a folder to LF line ends': {
    before: ({ write, path }) => {
      mkdirSync(path('texts/deep dir'), { recursive: true });
      write('texts/a.txt', 'a\r\n');
      write('texts/deep dir/-b.txt', 'b\r\n');
      write('texts/c.bin', 'c\r\n');
    },
    after: ({ read }) => {
      expect([read('texts/a.txt'), read('texts/deep dir/-b.txt'), read('texts/c.bin')]).toEqual([
        'a\n',
        'b\n',
        'c\r\n',
      ]);
    },
  },
  'Convert a folder to UTF-8, as a copy': {
    before: ({ write, path }) => {
      mkdirSync(path('old/deep'), { recursive: true });
      write('old/deep/a', Buffer.from([0x80, 0xe4]));
      write('old/b', 'b');
    },
    after: ({ read }) => expect([read('new/deep/a'), read('new/b')]).toEqual(['€ä', 'b']),
  },
  'Find the byte that is no UTF-8': {
    before: ({ write }) => write('suspect.csv', Buffer.concat([Buffer.from('ok;'.repeat(1000)), Buffer.from([0xff])])),
    after: (_, { stderr }) => expect(stderr).toContain('suspect.csv: not valid utf-8 at byte offset 3000'),
    status: 1,
  },
  'Compress, and check what was compressed': {
    before: ({ write }) => write('app.log', lines(5000)),
    after: ({ path }) => expect(statSync(path('app.log.zst')).size).toBeLessThan(20_000),
  },
  'Unpack whatever it is': {
    before: ({ write }) => write('data.unknown', gzipSync('a;b\n')),
    after: ({ read }) => expect(read('data.csv')).toBe('a;b\n'),
  },
  'Wait for a log line in CI': {
    before: () => {},
    programs: "service() { echo starting; sleep 0.2; echo 'listening on 8080'; }",
    after: (_, { out }) => expect(out).toBe('starting\nlistening on 8080\n'),
  },
  'See the errors of a log in UTF-16': {
    before: ({ write }) => write('setup.log', Buffer.from('\ufefffine\r\nError: 5\r\n', 'utf16le')),
    after: (_, { out }) => expect(out.trim()).toBe('Error: 5'),
  },
  'Go on reading a log where the last run ended': {
    before: ({ write }) => write('app.log', lines(3)),
    programs: 'sluice tail -n +1 --checkpoint app.position app.log > first; echo new >> app.log',
    after: ({ read }, { out }) => {
      expect(read('first')).toBe(lines(3));
      expect(out).toBe('new\n');
    },
  },
  'The last 100 lines, though the log was rotated a moment ago': {
    before: ({ write }) => {
      write('app.log', 'newest\n');
      write('app.log.1', lines(60));
      write('app.log.2.gz', gzipSync(lines(80)));
    },
    after: (_, { out }) => {
      expect(out.split('\n')).toHaveLength(101);
      expect(out.endsWith('line 60\nnewest\n')).toBe(true);
    },
  },
  'Find out who buffers in a pipeline': {
    before: () => {},
    programs: 'producer() { seq 100000 | sed s/^/x/; }; consumer() { wc -l; }',
    after: (_, { out, stderr }) => {
      expect(Number(out)).toBe(100_000);
      expect(stderr).toMatch(/verdict/);
    },
  },
  'Find out what a text file is made of': {
    before: ({ write }) => write('data.csv', 'ä\r\n'),
    programs: `jq() { node -e 'console.log(Object.keys(JSON.parse(require("fs").readFileSync(0))).join())'; }`,
    after: (_, { out }) => expect(out.split(',')).toEqual(expect.arrayContaining(['encoding', 'newlines'])),
  },
  'Is the default buffer size right for this disk?': {
    before: () => {},
    after: ({ read }, { out }) => {
      expect(out).toContain('← default');
      expect(read('rates.svg')).toContain('</svg>');
    },
  },
  'Mirror with a plan that somebody can read first': {
    before: ({ write, path }) => {
      mkdirSync(path('site'));
      mkdirSync(path('mirror'));
      write('site/a', 'a');
      write('mirror/old', 'old');
    },
    after: ({ path }) => expect(readdirSync(path('mirror'))).toEqual(['a']),
  },
  'Deploy a web site in one step': {
    native: true,
    before: ({ write, path }) => {
      mkdirSync(path('build'));
      mkdirSync(path('www'));
      write('build/index.html', 'new');
      write('www/index.html', 'older');
      write('www/gone.html', 'old');
    },
    after: ({ path, read }) => {
      expect(readdirSync(path('www'))).toEqual(['index.html']);
      expect(read('www/index.html')).toBe('new');
    },
  },
  'Mirror, but never lose more than a little': {
    before: ({ write, path }) => {
      mkdirSync(path('photos'));
      mkdirSync(path('backup'));
      write('photos/1', '1');
      for (let i = 1; i <= 9; i++) write(`backup/${i}`, '');
    },
    after: ({ path }) => expect(readdirSync(path('backup'))).toHaveLength(9),
    status: 3,
  },
  'Make what tar has unpacked survive a power cut': {
    before: ({ write, path }) => {
      mkdirSync(path('unpacked'));
      write('unpacked/a', 'a');
      execFileSync('tar', ['-cf', 'archive.tar', 'unpacked'], { cwd: path('.') });
    },
    after: ({ path }) => expect(existsSync(path('unpacked/a'))).toBe(true),
  },
};

describe('the recipes', () => {
  it('have a test each', () => {
    expect(Object.keys(cases).sort()).toEqual([...recipes.keys()].sort());
  });
  for (const [title, { before, programs = '', after, native = false, status = 0 }] of Object.entries(cases))
    it.skipIf(native && process.env['SLUICE_NATIVE'] === '0')(title, async () => {
      const cwd = temporary();
      const kitchen: Kitchen = {
        path: (name) => join(cwd, name),
        write: (name, content) => writeFileSync(join(cwd, name), content),
        read: (name) => readFileSync(join(cwd, name), 'utf8'),
      };
      before(kitchen);
      // As programs too, for the commands that call them: sluice itself, and what stands for others.
      const programsIn = temporary();
      const names = [...programs.matchAll(/([\w-]+)\(\)/g)].map(([, name]) => name!);
      for (const name of ['sluice', ...names]) {
        const text = name === 'sluice' ? `exec '${process.execPath}' '${bin}' "$@"` : `${name} "$@"`;
        writeFileSync(join(programsIn, name), `#!/bin/bash\n${text}\n`, { mode: 0o755 });
      }
      const exports = names.map((name) => `export -f ${name}\n`).join('');
      const ended = await shell(`set -o pipefail; ${programs}\n${exports}${recipes.get(title)}`, {
        cwd,
        env: { PATH: `${programsIn}:${process.env['PATH']}` },
      });
      expect(ended.status, ended.stderr).toBe(status);
      after(kitchen, ended);
    });
});
