#!/usr/bin/env node
module.constructor.enableCompileCache?.(); // Node ≥ 22.1
require('../dist/cli/main.js');
