// Output that a stage of a pipeline sits on: it has read, has not written, and waits for more.

import { inferred, isUnknown, type Known } from './certainty.js';
import type { Stage } from './pipeline.js';
import { fieldsOf } from './proc.js';
import { type Pipe, pidsOf } from './process-table.js';
import { remedyFor } from './remedies.js';

/** Programs that may read much and have nothing of it to write. */
const selects = /grep$|^rg$|awk$|^perl|^python|^ruby|^jq$/;

export const hasEnded = 'it has ended';

/** What it has read, by what was written to it less what still waits (or by the offset in a file), and has not written. */
export function holdingOf(
  stage: Stage,
  stages: Stage[],
  pipes: ReadonlyMap<string, Pipe>,
  fills: ReadonlyMap<string, { waiting: Known<number> }>,
): Stage['holding'] {
  if (stage.role === 'wrapper' || isUnknown(stage.io) || stage.writes.length === 0) return null;
  const idle = !isUnknown(stage.waiting) && (stage.waiting.for === 'read' || stage.waiting.for === 'events');
  if (!idle) return null;
  const known = remedyFor(stage.command.split(' '), stage.program);
  if (known?.passes || known?.block === null) return null;
  const consumed = consumedBy(stage, stages, pipes, fills);
  if (consumed === undefined || consumed === 0) return null;
  const { written, writes } = stage.io;
  if (written === 0) {
    const because = `it has read ${consumed} bytes and written nothing`;
    return inferred({ bytes: consumed }, known && !selects.test(known.program) ? 0.85 : 0.65, because);
  }
  const block = known?.block;
  if (block && written % block === 0 && written / block === writes) {
    const because = `all that it wrote is ${writes} full blocks of ${block} bytes`;
    return inferred({ bytes: Math.min(block - 1, Math.max(0, consumed - written)) }, 0.7, because);
  }
  return null;
}

function consumedBy(
  stage: Stage,
  stages: Stage[],
  pipes: ReadonlyMap<string, Pipe>,
  fills: ReadonlyMap<string, { waiting: Known<number> }>,
): number | undefined {
  const input = stage.reads[0];
  if (input === undefined) {
    const position = fieldsOf(`/proc/${stage.pid}/fdinfo/0`);
    return position && !isUnknown(position) ? Number(position.get('pos')) : undefined;
  }
  const pipe = pipes.get(input)!;
  const writers = pidsOf(pipe.writers)
    .map((pid) => stages.find((each) => each.pid === pid))
    .filter((each): each is Stage => each?.role === 'stage');
  const waiting = fills.get(input)!.waiting;
  // All that its writers ever wrote, if they write nowhere else, less what still waits. Without what those wrote that have ended
  // (a shell's children come and go) it is no more than was read.
  let written = 0;
  for (const { io, writes } of writers) {
    if (isUnknown(io) && io.unknown === hasEnded) continue;
    if (isUnknown(io) || writes.length !== 1) return undefined;
    written += io.written;
  }
  return writers.length === 0 ? undefined : Math.max(0, written - (isUnknown(waiting) ? 0 : waiting));
}
