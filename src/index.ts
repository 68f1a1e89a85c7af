// The library's face: Python's io for Node, and the core that the commands stand on.
export type { RawIO } from './io/raw.js';
