// Holds the layers of lib: what each may import, what the pure ones may touch, who prints. Exits 1
// with one line and its reason for each offence. `node scripts/check-layers.js [root]`

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'

// cli → agent → mount → fs → format → crypto → native, and fs → store → native; a layer may skip one.
// Of native, crypto takes only the calls into OpenSSL; format takes nothing.
const LAYERS = {
  cli: ['agent', 'mount', 'fs', 'format', 'crypto', 'store', 'native'],
  agent: ['mount', 'fs', 'format', 'crypto', 'store', 'native'],
  mount: ['fs', 'format', 'crypto', 'store', 'native'],
  fs: ['format', 'crypto', 'store', 'native'],
  format: ['crypto'],
  crypto: ['native/libc', 'native/openssl'],
  store: ['native'],
  native: [],
}
const BELOW_ALL = ['errors', 'brand']
const PURE = ['crypto', 'format']

// Third-party packages, each with the layers that may load it.
const PACKAGES = {
  koffi: ['native'],
  'fuse-native': ['mount'],
  '@noble/ciphers': ['crypto'],
  '@noble/hashes': ['crypto'],
  yargs: ['cli'],
  '@zxcvbn-ts/core': ['cli'],
  'env-paths': ['store'],
  'lru-cache': ['fs', 'store'],
}

// Files outside store that open something which is neither the vault nor the state folder.
const FILE_ACCESS = {
  'agent/logind': 'where programs are',
  'agent/mountpoint': 'the mountpoint, before it is one',
  'agent/mountpoint-folder': 'the folder under the mount',
  'agent/process': '/proc',
  'agent/self-test': 'the drive, from outside',
  'cli/folder-speed': 'a trial drive, from outside',
  'cli/read-password': 'a file that the user named',
  'cli/restored-file': 'a file that the user asked for',
  'cli/speed': 'the folder beside a trial drive',
  'cli/terminal': 'the terminal',
  'cli/trial-drive': 'a folder for a trial drive',
  'cli/ui': 'standard output and error',
  'cli/version': 'package.json',
  'mount/fuse-problem': '/dev/fuse, and whether fusermount3 is there',
  'mount/fuse-linux/abort': '/sys/fs/fuse',
  'mount/fuse-linux/mount-fuse': '/dev/fuse',
  'mount/fuse-native/mount-native': '/proc',
  'mount/mount-place': 'the mountpoint, before it is one',
  'mount/mount-users': '/proc',
  'mount/mountinfo': '/proc',
}

// Node's own modules that are not for everybody: the layers, or single files, that may import them.
const NODE_MODULES = {
  fs: {
    may: ['store', ...Object.keys(FILE_ACCESS)],
    why: 'only store touches the vault and state folders; name the file in FILE_ACCESS if it opens something else',
  },
  child_process: { may: ['cli', 'agent', 'mount'], why: 'the core starts no programs' },
  worker_threads: { may: ['agent', 'mount'], why: 'the core is synchronous and single-threaded' },
  net: { may: ['agent', 'cli'], why: 'only the control socket uses the network' },
  crypto: {
    may: ['crypto', 'store', 'agent', 'cli/folder-speed', 'cli/trial-drive'],
    why: 'primitives belong to crypto',
  },
  tty: { may: ['cli'], why: 'only cli talks to a terminal' },
}
const PURE_NODE_MODULES = { crypto: ['buffer', 'crypto'], format: ['buffer', 'zlib'] }
const RANDOM =
  /^(random(Bytes|Fill|FillSync|Int|UUID)|generate(Key|Prime).*|getRandomValues|webcrypto)$/

const IMPURE_GLOBALS = new Set([
  'Date',
  'performance',
  'process',
  'crypto',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'fetch',
])

/** @param {string} name e.g. "native/libc", against entries such as "native" and "native/libc" */
const covered = (name, entries) =>
  entries.some((entry) => name === entry || name.startsWith(`${entry}/`))

/**
 * One file of lib, and what is found in it.
 * @param {string} root
 * @param {string} path
 * @param {string[]} offences
 */
function checkFile(root, path, offences) {
  const name = relative(join(root, 'lib'), path).replaceAll('\\', '/').replace(/\.ts$/, '')
  const layer = name.includes('/') ? name.slice(0, name.indexOf('/')) : ''
  const text = readFileSync(path, 'utf8')
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)

  /** @param {ts.Node} node @param {string} what @param {string} why */
  const offend = (node, what, why) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source))
    offences.push(`${relative(root, path)}:${line + 1}: ${what}: ${why}`)
  }

  if (layer === '' ? !BELOW_ALL.includes(name) : !(layer in LAYERS)) {
    const places = Object.keys(LAYERS).join(', ')
    offend(source, 'belongs to no layer', `a file of lib lives in one of ${places}`)
    return
  }
  const mayImport = layer === '' ? [] : LAYERS[layer]

  /** @param {ts.Node} node @param {string} target a path relative to lib, without extension */
  const checkOwn = (node, target) => {
    const targetLayer = target.includes('/') ? target.slice(0, target.indexOf('/')) : ''
    if (target.startsWith('..'))
      offend(node, `imports ${target}`, 'lib imports nothing outside lib')
    else if (targetLayer === '' || (targetLayer === layer && layer !== '')) return
    else if (!covered(target, mayImport)) {
      const allowed = [...mayImport, ...BELOW_ALL].join(', ')
      offend(node, `imports ${target}`, `${layer || name} may import only ${allowed}`)
    }
  }

  /** @param {ts.Node} node @param {string} specifier */
  const checkModule = (node, specifier) => {
    if (specifier.startsWith('.')) {
      const target = relative(join(root, 'lib'), resolve(dirname(path), specifier))
      checkOwn(node, target.replaceAll('\\', '/').replace(/\.[jt]s$/, ''))
      return
    }
    if (specifier.startsWith('node:')) {
      const module = specifier.slice('node:'.length)
      const base = module.split('/')[0]
      if (PURE.includes(layer)) {
        if (!PURE_NODE_MODULES[layer].includes(module))
          offend(node, `imports ${specifier}`, `${layer} is pure: all it needs comes by argument`)
        return
      }
      const rule = NODE_MODULES[base]
      if (rule !== undefined && !covered(name, rule.may) && !onlyNumbers(node))
        offend(node, `imports ${specifier}`, rule.why)
      return
    }
    const packageName = specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/')
    const layers = PACKAGES[packageName]
    if (layers === undefined)
      offend(
        node,
        `imports ${specifier}`,
        'name the package and its layer in check-layers.js first',
      )
    else if (!layers.includes(layer))
      offend(node, `imports ${specifier}`, `only ${layers.join(' and ')} may load ${packageName}`)
  }

  /** The system's constants, or types: nothing that acts. @param {ts.Node} node */
  const onlyNumbers = (node) =>
    ts.isImportDeclaration(node) &&
    (node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword ||
      (node.importClause?.namedBindings !== undefined &&
        ts.isNamedImports(node.importClause.namedBindings) &&
        node.importClause.namedBindings.elements.every(
          (element) => element.isTypeOnly || element.name.text === 'constants',
        )))

  /** @param {ts.Node | undefined} node */
  const literal = (node) => (node !== undefined && ts.isStringLiteralLike(node) ? node.text : null)

  /** @param {ts.Node} node */
  const visit = (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      const specifier = literal(node.moduleSpecifier)
      if (specifier !== null) checkModule(node, specifier)
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      const specifier = literal(node.argument.literal)
      if (specifier !== null) checkModule(node, specifier)
    } else if (ts.isCallExpression(node)) {
      const { expression } = node
      const specifier = literal(node.arguments[0])
      const loads =
        expression.kind === ts.SyntaxKind.ImportKeyword ||
        (ts.isIdentifier(expression) && expression.text === 'require') ||
        (ts.isCallExpression(expression) && expression.expression.getText() === 'createRequire')
      if (loads && specifier !== null) checkModule(node, specifier)
      else if (loads) offend(node, 'imports what cannot be read here', 'name the module literally')
    } else if (ts.isNewExpression(node) && node.expression.getText(source) === 'URL') {
      // new Worker(new URL('./worker.js', import.meta.url)) starts a file of ours
      const specifier = literal(node.arguments?.[0])
      if (specifier !== null && /^\..*\.js$/.test(specifier)) checkModule(node, specifier)
    }
    checkUse(node)
    ts.forEachChild(node, visit)
  }

  /** @param {ts.Node} node */
  const checkUse = (node) => {
    if (!ts.isIdentifier(node)) return
    const { parent, text: word } = node
    const isMember =
      (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
      (ts.isPropertyAssignment(parent) && parent.name === node) ||
      ts.isPropertySignature(parent) ||
      ts.isMethodDeclaration(parent)
    const member =
      ts.isPropertyAccessExpression(parent) && parent.expression === node ? parent.name.text : ''
    if (layer !== 'cli' && !isMember) {
      const prints =
        word === 'console' || (word === 'process' && (member === 'stdout' || member === 'stderr'))
      if (prints) offend(node, member === '' ? word : `${word}.${member}`, 'only cli prints')
    }
    const named = ts.isImportSpecifier(parent)
    if (PURE.includes(layer)) {
      const impure =
        (IMPURE_GLOBALS.has(word) && !isMember && !ts.isTypeReferenceNode(parent)) ||
        (word === 'Math' && member === 'random') ||
        (RANDOM.test(word) && (named || isMember))
      if (impure)
        offend(node, word, `${layer} is pure: clock, randomness and process come by argument`)
    }
    if (word === 'errnoOf' && named && layer !== 'mount')
      offend(node, word, 'only mount speaks errno')
  }

  visit(source)
  if (layer === 'fs' || PURE.includes(layer)) {
    const at = text.search(/\bfuse/i)
    if (at !== -1) {
      const line = text.slice(0, at).split('\n').length
      offences.push(`${relative(root, path)}:${line}: says "fuse": ${layer} knows no FUSE word`)
    }
  }
}

/**
 * @param {string} root the folder that has lib and bin
 * @returns {string[]} one line for each offence, with the reason
 */
export function checkLayers(root) {
  /** @type {string[]} */
  const offences = []
  const lib = join(root, 'lib')
  for (const entry of readdirSync(lib, { recursive: true, encoding: 'utf8' }).sort()) {
    if (entry.endsWith('.ts')) checkFile(root, join(lib, entry), offences)
  }
  for (const entry of readdirSync(join(root, 'bin'))) {
    const { importedFiles } = ts.preProcessFile(readFileSync(join(root, 'bin', entry), 'utf8'))
    for (const { fileName } of importedFiles) {
      if (!fileName.startsWith('../dist/lib/cli/'))
        offences.push(`bin/${entry}: imports ${fileName}: bin only starts cli`)
    }
  }
  return offences
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const offences = checkLayers(resolve(process.argv[2] ?? join(import.meta.dirname, '..')))
  for (const offence of offences) console.error(offence)
  if (offences.length > 0) process.exitCode = 1
}
