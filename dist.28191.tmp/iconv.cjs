const{readFileSync}=require('node:fs'),{join}=require('node:path'),{brotliDecompressSync}=require('node:zlib');
module._compile(brotliDecompressSync(readFileSync(join(__dirname,'iconv.br'))).toString(),__filename);
