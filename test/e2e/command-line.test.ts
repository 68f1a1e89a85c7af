// What every command has in common (docs/exit codes, streams, names, signals).

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { native } from '../../src/io/native.js';
import { bin, command, shell, sluice, temporary } from '../helpers/sluice.js';

describe('the command line', () => {
  it('prints its version', async () => {
    const { status, out } = await sluice(['--version']);
    expect({ status, out }).toEqual({ status: 0, out: expect.stringMatching(/^sluice \d+\.\d+\.\d+\n$/) });
    expect((await sluice(['-V', '--json'])).out).toBe(out);
  });

  it('says so and exits 1 when the version cannot be written', async () => {
    const { status, stderr } = await shell('sluice --version > /dev/full');
    expect(status).toBe(1);
    expect(stderr).toContain('no space left on device');
  });

  it('says that SLUICE_BUFFERING is not understood, unless nobody asks it', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'a'), 'a\n');
    const run = (args: string[], more = {}) =>
      sluice([...args, 'a', '-'], { cwd, env: { SLUICE_BUFFERING: 'lines', ...more } });
    const { status, out, stderr } = await run(['copy']);
    expect({ status, out, stderr }).toEqual({
      status: 0,
      out: 'a\n',
      stderr:
        "sluice copy: warning: SLUICE_BUFFERING has no 'lines'; there are auto, line, block, none: auto is taken\n",
    });
    for (const said of [run(['copy', '--buffering=line']), run(['copy'], { SLUICE_UNBUFFERED: '1' })])
      expect((await said).stderr).toBe('');
    expect((await run(['copy', '-q'], { SLUICE_BUFFERING: 'none' })).stderr).toBe('');
  });

  it('opens --help with examples, and lists every command', async () => {
    for (const args of [['--help'], ['-h'], ['help']]) {
      const { status, out } = await sluice(args);
      expect(status).toBe(0);
      expect(out).toMatch(/^Examples:/);
      for (const name of ['copy', 'atomic-write', 'tail', 'inspect', 'sync', 'flush', 'bench'])
        expect(out).toMatch(new RegExp(`^  ${name} `, 'm'));
    }
  });

  it("shows a command's own help, examples first, from each way of asking", async () => {
    const { status, out } = await sluice(['copy', '--help']);
    expect(status).toBe(0);
    expect(out).toMatch(/^Examples:/);
    expect(out).toContain('--verify');
    expect((await sluice(['help', 'copy'])).out).toBe(out);
  });

  it('without a command shows the help on stderr and exits 2', async () => {
    const { status, out, stderr } = await sluice([]);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(stderr).toContain('Commands:');
  });

  it.each([
    [['cpy'], "unknown command 'cpy' (did you mean copy?)"],
    [['copy', '--durble', 'a', 'b'], '(did you mean --durable?)'],
    [['--jsn'], '--json'],
    [['copy', '--progress', 'often', 'a', 'b'], 'Allowed choices are auto, always, never'],
    [['copy', '--buffer-size', '12X', 'a', 'b'], 'Not a size'],
    [['copy', '--limit-rate', '0', 'a', 'b'], 'at least 1 byte'],
    [['copy'], 'missing file operand'],
    [['copy', 'a'], "missing destination after 'a'"],
    [['copy', '-T', 'a', 'b', 'c'], "extra operand 'c'"],
    [['copy', '--checksum=sha257', 'a', 'b'], "unknown digest 'sha257'"],
    [['copy', '--preserve=everything', 'a', 'b'], "no 'everything'"],
    [['copy', '', 'b'], 'empty'],
    [['copy', '--durable=maybe', 'a', 'b'], 'durable, strict'],
  ])('%j is a usage error: exit 2, nothing touched', async (args, message) => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'a'), 'a');
    const { status, out, stderr } = await sluice(args, { cwd });
    expect(stderr).toContain(message);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect((await shell('ls', { cwd })).out).toBe('a\n');
  });

  it('takes global options before and after the command', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'a'), 'abc');
    const before = await sluice(['--json', '--color', 'never', '--progress=never', 'copy', 'a', 'b'], { cwd });
    const after = await sluice(['copy', 'a', 'b', '--json', '--color=never', '--progress', 'never'], { cwd });
    for (const { status, records } of [before, after]) {
      expect(status).toBe(0);
      expect(records().map(({ type }) => type)).toEqual(['copied', 'summary']);
    }
  });

  it('reports usage errors as records with --json', async () => {
    const { status, records, stderr } = await sluice(['copy', '--json', '--nope']);
    expect({ status, stderr }).toEqual({ status: 2, stderr: '' });
    expect(records()).toEqual([{ type: 'error', code: 'ERR_USAGE', message: expect.stringContaining('--nope') }]);
  });

  it('ends options with --, and takes names that begin with -', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, '-a'), 'dash');
    expect(await sluice(['copy', '--', '-a', '--b'], { cwd })).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(join(cwd, '--b'), 'utf8')).toBe('dash');
  });

  it('an option with an optional value never takes the next argument for it', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'a'), 'x');
    expect(await sluice(['copy', '--checksum', 'a', 'b', '--backup', '--durable'], { cwd })).toMatchObject({
      status: 0,
    });
    expect(readFileSync(join(cwd, 'b'), 'utf8')).toBe('x');
  });

  it('takes names that are not UTF-8 and names with newlines, as bytes', async () => {
    const cwd = temporary();
    const line = `printf data > "$(printf 'a\\377\\nb')"; sluice copy --json "$(printf 'a\\377\\nb')" "$(printf '\\303(')"; cat "$(printf '\\303(')"`;
    const { stdout, stderr } = await shell(line, { cwd });
    expect(stderr).toBe('');
    const [copied, , content] = stdout.toString('latin1').split('\n');
    expect(content).toBe('data');
    const record = JSON.parse(Buffer.from(copied!, 'latin1').toString());
    expect(Buffer.from(record.sourceBytes, 'base64')).toEqual(Buffer.from([0x61, 0xff, 0x0a, 0x62]));
    expect(Buffer.from(record.destinationBytes, 'base64')).toEqual(Buffer.from([0xc3, 0x28]));
  });

  it('names a file that is not UTF-8 by its bytes in an error in a pipe', async () => {
    const { stdout } = await shell(`sluice copy "$(printf 'no\\377')" x 2>&1`, { cwd: temporary() });
    expect(stdout.includes(Buffer.from([0x6e, 0x6f, 0xff, 0x3a]))).toBe(true);
  });

  it('shows a stack only with --debug', async () => {
    const cwd = temporary();
    expect((await sluice(['copy', 'none', 'b'], { cwd })).stderr).not.toMatch(/^\s+at /m);
    expect((await sluice(['--debug', 'copy', 'none', 'b'], { cwd })).stderr).toMatch(/^\s+at /m);
  });

  it('ends quietly with 141 when downstream has gone', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'big'), Buffer.alloc(4 << 20));
    const { out, stderr } = await shell('{ sluice copy big -; echo $? >&2; } | head -c 10 > /dev/null', { cwd });
    expect({ out, stderr }).toEqual({ out: '', stderr: '141\n' });
    const records = await shell('{ sleep 0.3; sluice copy --json big b; echo $? >&2; } | true', { cwd });
    expect(records.stderr).toBe('141\n');
  });

  it.each([
    'copy --help',
    'copy --json a b',
    'copy a -',
    'copy --checksum a b',
    '--help',
  ])('`sluice %s > /dev/full` says so and exits 1', async (args) => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'a'), 'x'.repeat(1000));
    const { status, stderr } = await shell(`sluice ${args} > /dev/full`, { cwd });
    expect(stderr).toMatch(/^sluice( copy)?: .*no space left on device \(ENOSPC, write\)/);
    expect(status).toBe(1);
  });

  it('works with its descriptors closed', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'a'), 'x');
    const { status } = await shell('sluice copy a b <&- >&- 2>&-; exit $?', { cwd });
    expect(status).toBe(0);
    expect(readFileSync(join(cwd, 'b'), 'utf8')).toBe('x');
  });

  it('leaves no O_NONBLOCK on pipes that it shares', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'a'), 'x');
    const flags = `python3 -c 'import fcntl,os,sys; sys.stderr.write(str([fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK for fd in (0, 1)]))'`;
    const { stderr } = await shell(
      `(echo in; sleep 0.2) | { sluice copy - b --json; sluice copy a -; ${flags}; } | cat > /dev/null`,
      { cwd },
    );
    expect(stderr).toBe('[0, 0]');
  });

  it('writes on when a neighbour has made its stdout non-blocking', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'big'), Buffer.alloc(1 << 20, 'x'));
    const nonblock = `import fcntl,os,subprocess,sys
fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_NONBLOCK)
sys.exit(subprocess.call(sys.argv[1:]))`;
    writeFileSync(join(cwd, 'n.py'), nonblock);
    const { out, stderr } = await shell(`python3 n.py "${process.execPath}" "${bin}" copy big - | (sleep 0.5; wc -c)`, {
      cwd,
    });
    expect({ out: out.trim(), stderr }).toEqual({ out: String(1 << 20), stderr: '' });
  });

  it('a command that is not built yet says so and exits 2', async () => {
    const { out } = await sluice(['--help']);
    const unbuilt = /^ {2}(\S+) .*\(not built yet\)$/m.exec(out)?.[1];
    if (unbuilt === undefined) return; // Every command is built.
    const { status, stderr } = await sluice([unbuilt]);
    expect(status).toBe(2);
    expect(stderr).toContain('not built yet');
  });

  it('runs through a symlink, as npx does', async () => {
    const cwd = temporary();
    await shell(`ln -s "${bin}" s`, { cwd });
    expect((await command(process.execPath, [join(cwd, 's'), '--version'])).status).toBe(0);
  });

  it("small jobs load none of Node's own modules that are slow to load, and that bare Node does without", async () => {
    const cwd = temporary();
    await shell('mkdir a; echo a > a/f; echo f > f', { cwd });
    writeFileSync(
      join(cwd, 'told.cjs'),
      "process.on('exit', () => require('fs').writeFileSync('list', process.moduleLoadList.join('\\n')));",
    );
    const loaded = async (script: string, ...args: string[]) => {
      const { status, stderr } = await command(process.execPath, ['--require', './told.cjs', script, ...args], {
        cwd,
        input: 'x\n',
      });
      expect({ status, stderr }, args.join(' ')).toMatchObject({ status: 0 });
      return new Set(readFileSync(join(cwd, 'list'), 'utf8').split('\n'));
    };
    const bare = await loaded('./told.cjs');
    const slow = ['crypto', 'zlib', 'net', 'tty', 'perf_hooks', 'worker_threads', 'child_process', 'timers/promises'];
    // Without native calls it takes programs to look for an ACL, and to make a tree.
    const wider = ['copy f g', 'atomic-write g', 'copy -r a b', 'sync a c', 'inspect --quick f'];
    for (const line of ['copy f g', 'tail -n 1 f', 'flush f', ...(native() ? wider : [])]) {
      const list = await loaded(bin, ...line.split(' '));
      const more = slow.filter((name) => list.has(`NativeModule ${name}`) && !bare.has(`NativeModule ${name}`));
      expect([line, more]).toEqual([line, []]);
    }
    // And would tell if one did.
    const compressing = await loaded(bin, 'copy', '--compress', 'gzip', 'f', 'h');
    expect(compressing.has('NativeModule zlib')).toBe(true);
  });
});
