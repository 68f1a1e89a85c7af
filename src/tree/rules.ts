// Which entries are meant, as the user said it: apart from what matches them, which only trees need.

/** A rule as given: data, for a plan to keep. */
export interface GlobRule {
  include: boolean;
  pattern: string;
}

/** The rules in a file: a line each, `+ ` and `- ` before a pattern say which kind; empty lines and those with # or ; are none. */
export function parseRules(text: string, include = false): GlobRule[] {
  const rules: GlobRule[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === '' || /^[#;]/.test(line)) continue;
    const signed = /^([+-]) (.*)$/s.exec(line);
    rules.push(signed ? { include: signed[1] === '+', pattern: signed[2]! } : { include, pattern: line });
  }
  return rules;
}
