"use strict";/*e8e9fbf5cd9367dd*/const __load=require("./load.js");
const __made={},__parts={"completion-YIILC4C2.js"(module,exports){var __defProp=Object.defineProperty;var __getOwnPropDesc=Object.getOwnPropertyDescriptor;var __getOwnPropNames=Object.getOwnPropertyNames;var __hasOwnProp=Object.prototype.hasOwnProperty;var __export=(target,all)=>{for(var name in all)__defProp(target,name,{get:all[name],enumerable:!0})},__copyProps=(to,from,except,desc)=>{if(from&&typeof from=="object"||typeof from=="function")for(let key of __getOwnPropNames(from))!__hasOwnProp.call(to,key)&&key!==except&&__defProp(to,key,{get:()=>from[key],enumerable:!(desc=__getOwnPropDesc(from,key))||desc.enumerable});return to};var __toCommonJS=mod=>__copyProps(__defProp({},"__esModule",{value:!0}),mod);var stdin_exports={};__export(stdin_exports,{define:()=>define,run:()=>run});module.exports=__toCommonJS(stdin_exports);var import_chunk_7I6F3ZWD=__load("shared.js").part("chunk-7I6F3ZWD.js"),import_chunk_H4CZ6Z6Y=__load("core.js").part("chunk-H4CZ6Z6Y.js"),import_chunk_UZNLJTFM=__load("core.js").part("chunk-UZNLJTFM.js"),import_chunk_HRJA3Q7C=__load("core.js").part("chunk-HRJA3Q7C.js"),import_chunk_6Z3ELQ57=__load("core.js").part("chunk-6Z3ELQ57.js"),import_chunk_ETQWKSBR=__load("core.js").part("chunk-ETQWKSBR.js");function define(){return new import_chunk_6Z3ELQ57.Command("sluice completion").addArgument(new import_chunk_6Z3ELQ57.Argument("<shell>","which shell it is for").choices(["bash","zsh","fish","powershell"])).addHelpText("beforeAll",examples)}var examples=`Examples:
  source <(sluice completion bash)                                   for this shell; in ~/.bashrc, for every one
  source <(sluice completion zsh)                                    in ~/.zshrc, after compinit
  sluice completion fish > ~/.config/fish/completions/sluice.fish
  sluice completion powershell | Out-String | Invoke-Expression      in $PROFILE
`;async function run(_,operands,context){if(operands.length>1)throw new import_chunk_HRJA3Q7C.UsageError(`extra operand '${operands[1]}'`);let root=(0,import_chunk_7I6F3ZWD.t)(await(0,import_chunk_7I6F3ZWD.program)(()=>!1),{completionCommandName:"tab"}),shell=operands[0],script=said(()=>root.setup("sluice","sluice",shell));return context.print(shell==="bash"?inBash(script):script),"done"}function inBash(script){let changes=[['out=$(eval "$requestComp" 2>/dev/null)','out=$(sluice complete -- "${words[@]:1:cword}" 2>/dev/null)'],['COMPREPLY=( $(compgen -W "${completions[*]}" -- "$cur") )',bashReply],["complete -F __sluice_complete sluice","complete -o default -o bashdefault -F __sluice_complete sluice"]];for(let[from,to]of changes){if(!script.includes(from))throw new Error(`the completion library's script for bash has no '${from}'`);script=script.replace(from,()=>to)}return bashWords+script}var bashReply='[[ "$cur" == -*=* ]] && cur=${cur#*=}\n    COMPREPLY=( $(compgen -W "${completions[*]}" -- "$cur") )',bashWords=`# Where the package bash-completion is not there
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

`;function said(work){let{console:kept}=globalThis,lines=[];globalThis.console={...kept,log:line=>lines.push(line)};try{work()}finally{globalThis.console=kept}return lines.join(`
`)}0&&(module.exports={define,run});
}};
function __part(name){let module=__made[name];if(module===undefined){module=__made[name]={exports:{}};__parts[name](module,module.exports)}return module.exports}
exports.part=__part;
