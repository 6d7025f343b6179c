// lib and test are held to typescript-eslint's strict rules with type information; scripts and bin
// are plain JavaScript that has to run before anything is built.

import js from '@eslint/js'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

const NODE_GLOBALS = [
  'console',
  'process',
  'Buffer',
  'URL',
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
]

export default defineConfig(
  globalIgnores(['dist', 'dist-*', 'demo', '.tap']),
  {
    files: ['lib/**/*.ts', 'test/**/*.ts'],
    extends: [
      js.configs.recommended,
      tseslint.configs.strictTypeChecked,
      tseslint.configs.stylisticTypeChecked,
    ],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // A number in a template reads as itself.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // noUncheckedIndexedAccess makes every read of a byte possibly undefined; where the index is
      // bounded by the loop, `!` says so and costs nothing.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // A method may name a parameter of its contract that it has no use for.
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // Loops without an end are how a drive serves.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // process.env['NAME'] and process.env.NAME are both plain.
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
      // Names of files are looked at for control characters on purpose.
      'no-control-regex': 'off',
      eqeqeq: 'error',
      'no-var': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // A subtest runs in its turn and tells its parent of its failure, awaited or not.
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafePromises: [
            { from: 'package', package: '@tapjs/core', name: 'PromiseWithSubtest' },
          ],
        },
      ],
      // tap wants a function of a promise, also where nothing is awaited.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: [
      '**/*.js',
      'scripts/bench',
      'scripts/crash',
      'scripts/power-cut',
      'scripts/soak',
      'scripts/two-machines',
    ],
    extends: [js.configs.recommended],
    languageOptions: {
      sourceType: 'module',
      globals: Object.fromEntries(NODE_GLOBALS.map((name) => [name, 'readonly'])),
    },
    rules: { eqeqeq: 'error', 'no-var': 'error', 'prefer-const': 'error' },
  },
)
