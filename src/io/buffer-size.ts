// How large a buffer is when nobody says.

/** In bytes. `open` takes the file's block size where that is larger. */
export const DEFAULT_BUFFER_SIZE = 128 * 1024;

/** Beyond this a file system's block size is not followed. */
export const LARGEST_BUFFER_SIZE = 8 * 1024 * 1024;
