"use strict";/*e8e9fbf5cd9367dd*/const __load=require("./load.js");
const __made={},__parts={"help-VB7GCFM5.js"(module,exports){var __defProp=Object.defineProperty;var __getOwnPropDesc=Object.getOwnPropertyDescriptor;var __getOwnPropNames=Object.getOwnPropertyNames;var __hasOwnProp=Object.prototype.hasOwnProperty;var __export=(target,all)=>{for(var name in all)__defProp(target,name,{get:all[name],enumerable:!0})},__copyProps=(to,from,except,desc)=>{if(from&&typeof from=="object"||typeof from=="function")for(let key of __getOwnPropNames(from))!__hasOwnProp.call(to,key)&&key!==except&&__defProp(to,key,{get:()=>from[key],enumerable:!(desc=__getOwnPropDesc(from,key))||desc.enumerable});return to};var __toCommonJS=mod=>__copyProps(__defProp({},"__esModule",{value:!0}),mod);var stdin_exports={};__export(stdin_exports,{topHelp:()=>topHelp});module.exports=__toCommonJS(stdin_exports);var import_chunk_H4CZ6Z6Y=__load("core.js").part("chunk-H4CZ6Z6Y.js"),import_chunk_ETQWKSBR=__load("core.js").part("chunk-ETQWKSBR.js");function topHelp(_columns){let shown=Object.entries(import_chunk_H4CZ6Z6Y.commands).filter(([,{hidden}])=>!hidden),width=Math.max(...shown.map(([name])=>name.length));return`Examples:
  sluice copy disk.img /mnt/backup/                     a progress bar, and the whole file or the old one
  sluice copy --verify --durable disk.img /mnt/usb/     read back, and on stable storage before it says so
  curl -s https://example.org/a.tgz | sluice copy - a.tgz --checksum | sha256sum -c

Usage: sluice <command> [options] [operands]

Commands:
${shown.map(([name,{summary,load}])=>`  ${name.padEnd(width)}  ${summary}${load?"":" (not built yet)"}`).join(`
`)}

Global options, before or after the command:
  -q, --quiet             print only errors
  -v, --verbose           print a line for each file
      --debug             print decisions taken, and stacks of errors
      --json              print newline-delimited JSON records
      --progress WHEN     a bar on stderr: auto (a terminal, and work that lasts), always, never
      --color WHEN        auto, always, never (and NO_COLOR, FORCE_COLOR)
      --buffering HOW     stdout: auto, line, block, none (and SLUICE_BUFFERING, SLUICE_UNBUFFERED=1)
  -h, --help              this help, or the command's with 'sluice <command> --help'
  -V, --version           the version

Exit codes: 0 done, 1 something failed, 2 usage (nothing touched), 3 a condition was not met,
4 done but durability could not be confirmed, 141 downstream has gone.
`}0&&(module.exports={topHelp});
}};
function __part(name){let module=__made[name];if(module===undefined){module=__made[name]={exports:{}};__parts[name](module,module.exports)}return module.exports}
exports.part=__part;
