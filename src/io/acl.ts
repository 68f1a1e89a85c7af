// POSIX access ACLs, as the kernel gives and takes them: the attribute system.posix_acl_access, version 2, then entries of
// tag, permissions and id (u16, u16, u32, little-endian). The mode's group bits are the ACL's mask, not the group's rights.

export const accessAcl = 'system.posix_acl_access';
/** Of a directory: the ACL that what is made in it begins with. */
export const defaultAcl = 'system.posix_acl_default';

const tags = { userObject: 0x01, groupObject: 0x04, mask: 0x10, other: 0x20 } as const;

/** [offset of the permissions, tag] of each entry. */
function* entries(acl: Buffer): Generator<[at: number, tag: number]> {
  for (let at = 4; at + 8 <= acl.length; at += 8) yield [at + 2, acl.readUInt16LE(at)];
}

/**
 * The same ACL under this mode: as chmod would leave it (owner, mask, other), so that setting it never lets anyone in whom the mode that is
 * set next keeps out.
 */
export function aclUnderMode(acl: Buffer, mode: number): Buffer {
  const changed = Buffer.from(acl);
  const hasMask = [...entries(acl)].some(([, tag]) => tag === tags.mask);
  for (const [at, tag] of entries(acl)) {
    if (tag === tags.userObject) changed.writeUInt16LE((mode >> 6) & 7, at);
    else if (tag === tags.other) changed.writeUInt16LE(mode & 7, at);
    else if (tag === (hasMask ? tags.mask : tags.groupObject)) changed.writeUInt16LE((mode >> 3) & 7, at);
  }
  return changed;
}

/** What the owning group may do under this ACL (0–7): for a file that can have the mode alone. */
export function groupRights(acl: Buffer): number {
  let group = 0;
  let mask = 7;
  for (const [at, tag] of entries(acl)) {
    if (tag === tags.groupObject) group = acl.readUInt16LE(at);
    else if (tag === tags.mask) mask = acl.readUInt16LE(at);
  }
  return group & mask & 7;
}

/** The most that a new file's mode can be under this default ACL: owner, mask or group, others. */
export function modeUnderDefaultAcl(acl: Buffer): number {
  let [owner, group, mask, other] = [0, 0, undefined as number | undefined, 0];
  for (const [at, tag] of entries(acl)) {
    const rights = acl.readUInt16LE(at) & 7;
    if (tag === tags.userObject) owner = rights;
    else if (tag === tags.groupObject) group = rights;
    else if (tag === tags.mask) mask = rights;
    else if (tag === tags.other) other = rights;
  }
  return (owner << 6) | ((mask ?? group) << 3) | other;
}
