// `sluice completion SHELL`: the script that makes a shell complete sluice's commands, options and their values.

import tab from '@bomb.sh/tab/commander';
import { Argument, Command } from 'commander';
import type { Context, Outcome } from '../commands/context.js';
import { program } from './definitions.js';
import { UsageError } from './usage-error.js';

export function define(): Command {
  return new Command('sluice completion')
    .addArgument(new Argument('<shell>', 'which shell it is for').choices(['bash', 'zsh', 'fish', 'powershell']))
    .addHelpText('beforeAll', examples);
}

const examples = `Examples:
  source <(sluice completion bash)                                   for this shell; in ~/.bashrc, for every one
  source <(sluice completion zsh)                                    in ~/.zshrc, after compinit
  sluice completion fish > ~/.config/fish/completions/sluice.fish
  sluice completion powershell | Out-String | Invoke-Expression      in $PROFILE
`;

export async function run(_: unknown, operands: string[], context: Context): Promise<Outcome> {
  if (operands.length > 1) throw new UsageError(`extra operand '${operands[1]}'`);
  const root = tab(await program(() => false), { completionCommandName: 'tab' });
  const shell = operands[0]!;
  const script = said(() => root.setup('sluice', 'sluice', shell));
  context.print(shell === 'bash' ? inBash(script) : script);
  return 'done';
}

/**
 * The library's script for bash, so that it runs nothing of what was typed (it evaluates it), works without the package bash-completion,
 * completes `--option=value`, lets bash complete file names, and can be read again (its constants are read-only, with names that every
 * script of this library has).
 */
function inBash(script: string): string {
  const changes: [string, string][] = [
    ['out=$(eval "$requestComp" 2>/dev/null)', `out=$(sluice complete -- "\${words[@]:1:cword}" 2>/dev/null)`],
    [`COMPREPLY=( $(compgen -W "\${completions[*]}" -- "$cur") )`, bashReply],
    ['complete -F __sluice_complete sluice', 'complete -o default -o bashdefault -F __sluice_complete sluice'],
  ];
  for (const [from, to] of changes) {
    if (!script.includes(from)) throw new Error(`the completion library's script for bash has no '${from}'`);
    script = script.replace(from, () => to);
  }
  return bashWords + script.replaceAll(/(?:readonly )?\bShellCompDirective/g, '__sluice_Directive');
}

const bashReply = `[[ "$cur" == -*=* ]] && cur=\${cur#*=}
    COMPREPLY=( $(compgen -W "\${completions[*]}" -- "$cur") )`;

/** Bash splits words at = and : too; this joins them again, up to the cursor. */
const bashWords = `# Where the package bash-completion is not there
declare -F _get_comp_words_by_ref >/dev/null || _get_comp_words_by_ref() {
    local i word joined=0
    words=()
    for (( i = 0; i <= COMP_CWORD; i++ )); do
        word=\${COMP_WORDS[i]}
        if (( i > 0 )) && [[ "$word" == [=:]* || $joined == 1 ]]; then
            [[ "$word" == [=:] ]] && joined=1 || joined=0
            words[\${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
    done
    cword=$(( \${#words[@]} - 1 ))
    cur=\${words[cword]}
    prev=\${words[cword > 0 ? cword - 1 : 0]}
}

`;

/** What `work` prints: the library goes by the console, which is not to be touched (docs/architecture.md). */
function said(work: () => void): string {
  const { console: kept } = globalThis;
  const lines: string[] = [];
  globalThis.console = { ...kept, log: (line: string) => lines.push(line) };
  try {
    work();
  } finally {
    globalThis.console = kept;
  }
  return lines.join('\n');
}
