// The file system that something lies on, and what it makes of a power cut.

import { closeSync, constants, openSync, readFileSync, readlinkSync } from 'node:fs';
import { decodePath, encodePath, fsPath } from '../io/path.js';
import { type Inferred, inferred, isUnknown, type Known, unknown } from './certainty.js';
import { fieldsOf, read } from './proc.js';

/**
 * volatile: gone with the power; journaled and copy-on-write: consistent after a power cut, and what was synced is there;
 * unjournaled: what was synced is there, but structures can be damaged; remote: another machine's promise; read-only;
 * kernel: made up when read; layered: as durable as what lies below.
 */
export type FilesystemDurability =
  | 'volatile'
  | 'journaled'
  | 'copy-on-write'
  | 'unjournaled'
  | 'remote'
  | 'read-only'
  | 'kernel'
  | 'layered';

export interface FilesystemFacts {
  type: string;
  mountPoint: string;
  mountPointBytes?: string;
  source: string;
  readOnly: boolean;
  durability: Known<FilesystemDurability | Inferred<FilesystemDurability>>;
}

interface Mount {
  id: number;
  /** major:minor */
  device: string;
  mountPoint: string;
  options: string[];
  type: string;
  source: string;
  superOptions: string[];
}

const O_PATH = 0o10000000;

const kinds: [FilesystemDurability, string[]][] = [
  ['volatile', ['tmpfs', 'ramfs', 'devtmpfs', 'hugetlbfs', 'rootfs']],
  ['journaled', ['ext3', 'xfs', 'jfs', 'reiserfs', 'ntfs3', 'gfs2', 'ocfs2', 'hfsplus', 'apfs']],
  ['copy-on-write', ['btrfs', 'zfs', 'bcachefs', 'nilfs2', 'f2fs', 'ubifs']],
  ['unjournaled', ['ext2', 'vfat', 'msdos', 'exfat', 'minix', 'hfs', 'udf', 'ntfs']],
  [
    'remote',
    ['nfs', 'nfs4', 'cifs', 'smb3', 'smbfs', 'ceph', 'lustre', 'afs', 'glusterfs', 'beegfs', 'gpfs', '9p', 'virtiofs'],
  ],
  ['read-only', ['squashfs', 'erofs', 'iso9660', 'cramfs', 'romfs']],
  [
    'kernel',
    [
      ...['proc', 'sysfs', 'cgroup', 'cgroup2', 'debugfs', 'tracefs', 'securityfs', 'configfs', 'bpf', 'efivarfs'],
      ...[
        'devpts',
        'mqueue',
        'pstore',
        'fusectl',
        'binfmt_misc',
        'nsfs',
        'pipefs',
        'sockfs',
        'selinuxfs',
        'rpc_pipefs',
      ],
    ],
  ],
  ['layered', ['overlay', 'aufs', 'ecryptfs', 'unionfs']],
];

/** About `path` itself, a symlink followed or not. It is not opened for reading: FIFOs and devices notice nothing. */
export function filesystemOf(path: string, follow: boolean): Known<FilesystemFacts> {
  if (process.platform !== 'linux') return unknown(`not told on ${process.platform}`);
  let fd: number;
  try {
    fd = openSync(fsPath(path), O_PATH | (follow ? 0 : constants.O_NOFOLLOW));
  } catch {
    return unknown('not permitted');
  }
  try {
    const fields = fieldsOf(`/proc/self/fdinfo/${fd}`);
    if (fields === undefined || isUnknown(fields)) return unknown('needs /proc');
    const id = Number(fields.get('mnt_id'));
    const mount = mounts().find((each) => each.id === id);
    return mount ? factsOf(mount) : unknown('its mount is not among those that this process can see');
  } finally {
    closeSync(fd);
  }
}

let known: Mount[] | undefined;

/** /proc/self/mountinfo (proc(5)): once a run. */
function mounts(): Mount[] {
  known ??= mountinfo()
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const fields = line.split(' ');
      const rest = fields.slice(fields.indexOf('-', 6) + 1);
      return {
        id: Number(fields[0]),
        device: fields[2]!,
        mountPoint: name(fields[4]!),
        options: fields[5]!.split(','),
        type: rest[0]!,
        source: name(rest[1]!),
        superOptions: rest[2]?.split(',') ?? [],
      };
    });
  return known;
}

function mountinfo(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'latin1');
  } catch {
    return '';
  }
}

/** Bytes, of which space, tab, newline and backslash stand there as octal escapes. */
const name = (text: string): string =>
  decodePath(
    Buffer.from(
      text.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8))),
      'latin1',
    ),
  );

function factsOf(mount: Mount): FilesystemFacts {
  const { type, mountPoint, source, options, superOptions } = mount;
  const readOnly = options.includes('ro') || superOptions.includes('ro');
  const bytes = mountPoint.isWellFormed() ? undefined : encodePath(mountPoint).toString('base64');
  return {
    type,
    mountPoint,
    ...(bytes !== undefined && { mountPointBytes: bytes }),
    source,
    readOnly,
    durability: durabilityOf(mount),
  };
}

function durabilityOf(mount: Mount): FilesystemFacts['durability'] {
  const { type } = mount;
  if (type === 'ext4') return journalOf(mount);
  if (type.startsWith('fuse') && /^fuse\.(sshfs|rclone|s3fs|gcsfuse|goofys|glusterfs|ceph)/.test(type)) return 'remote';
  if (type.startsWith('fuse')) return unknown('FUSE: it is the promise of the program behind it');
  const kind = kinds.find(([, types]) => types.includes(type))?.[0];
  return kind ?? unknown(`nothing is known of ${type}`);
}

/** ext4 can be made without a journal: one that has it has a way to order data by it among its options. */
function journalOf(mount: Mount): FilesystemFacts['durability'] {
  const device = /[^/]+$/.exec(linkOf(`/sys/dev/block/${mount.device}`) ?? mount.source)![0];
  const options = read(`/proc/fs/ext4/${device}/options`);
  if (options !== undefined) return /^data=/m.test(options) ? 'journaled' : 'unjournaled';
  return inferred('journaled', 0.9, 'ext4 has a journal unless it was made without');
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
