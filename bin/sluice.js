#!/usr/bin/env node
import module from 'node:module';

module.enableCompileCache?.(); // Node ≥ 22.1
await import('../dist/cli.js');
