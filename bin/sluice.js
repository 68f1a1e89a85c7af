#!/usr/bin/env node
require('node:module').enableCompileCache?.(); // Node ≥ 22.1
require('../dist/cli/main.js');
