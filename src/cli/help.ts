// `sluice --help`: examples first, then every command.

import { commands } from './commands.js';

export function topHelp(_columns: number): string {
  const shown = Object.entries(commands).filter(([, { hidden }]) => !hidden);
  const width = Math.max(...shown.map(([name]) => name.length));
  const list = shown.map(
    ([name, { summary, load }]) => `  ${name.padEnd(width)}  ${summary}${load ? '' : ' (not built yet)'}`,
  );
  return `Examples:
  sluice copy disk.img /mnt/backup/                     a progress bar, and the whole file or the old one
  sluice copy --verify --durable disk.img /mnt/usb/     read back, and on stable storage before it says so
  curl -s https://example.org/a.tgz | sluice copy - a.tgz --checksum | sha256sum -c

Usage: sluice <command> [options] [operands]

Commands:
${list.join('\n')}

Global options, before or after the command:
  -q, --quiet             print only errors
  -v, --verbose           print a line for each file
      --debug             print decisions taken, and stacks of errors
      --json              print newline-delimited JSON records
      --progress WHEN     a bar on stderr: auto (a terminal, and work that lasts), always, never
      --color WHEN        auto, always, never (and NO_COLOR, FORCE_COLOR)
      --buffering HOW     stdout: auto, line, block, none (and SLUICE_BUFFERING, SLUICE_UNBUFFERED=1)
  -h, --help              this help, or the command's with 'sluice <command> --help'
  -V, --version           the version

Exit codes: 0 done, 1 something failed, 2 usage (nothing touched), 3 a condition was not met,
4 done but durability could not be confirmed, 141 downstream has gone.
`;
}
