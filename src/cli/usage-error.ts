// A command line that the parser accepts and the command cannot: reported like the parser's own errors, exit 2.

export class UsageError extends Error {}
