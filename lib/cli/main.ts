// The command line: names, options, help. Each command lives in a file of its own, loaded when it is
// the one. docs/CLI.md freezes what is here.

import yargs, { type Argv } from 'yargs'
import { CofferError } from '../errors.js'
import { DEFAULT_DRIVER, DRIVERS } from '../mount/driver.js'
import { fixFolders } from '../store/state-folder.js'
import { fail, out } from './ui.js'
import { version } from './version.js'

type Run = () => Promise<number>

const vaultArgument = <T>(y: Argv<T>) =>
  y.positional('vault', {
    type: 'string',
    demandOption: true,
    describe: 'the folder that the cloud client syncs',
  })

const passwordOptions = <T>(y: Argv<T>) =>
  y
    .option('passfile', {
      type: 'string',
      requiresArg: true,
      describe: 'read the password from this file',
    })
    .option('passcommand', {
      type: 'string',
      requiresArg: true,
      describe: 'read the password from what this command prints',
    })
    .conflicts('passfile', 'passcommand')

const jsonOption = <T>(y: Argv<T>) =>
  y.option('json', { type: 'boolean', default: false, describe: 'print JSON for scripts' })

/** Fills in what to run; does not run it, so that errors of a command are not taken for bad usage. */
function parser(argv: readonly string[], choose: (run: Run) => void) {
  return yargs([...argv])
    .scriptName('coffer')
    .usage('$0 <command>\n\nAn end-to-end encrypted drive for any cloud folder.')
    .locale('en')
    .parserConfiguration({
      'duplicate-arguments-array': false,
      'dot-notation': false,
      'boolean-negation': false,
    })
    .command(
      'create <vault>',
      'make a new vault in an empty folder',
      (y) =>
        passwordOptions(vaultArgument(y))
          .option('label', {
            type: 'string',
            requiresArg: true,
            describe: 'a name for the vault, kept encrypted',
          })
          .option('scrypt-logn', {
            type: 'number',
            requiresArg: true,
            default: 17,
            describe: 'cost of a password guess: 2^N KiB of memory, 10 to 20',
          }),
      (args) => {
        choose(async () => (await import('./create.js')).create(args))
      },
    )
    .command(
      'mount <vault> <mountpoint>',
      'show the files of a vault as a drive',
      (y) =>
        passwordOptions(vaultArgument(y))
          .positional('mountpoint', {
            type: 'string',
            demandOption: true,
            describe: 'an empty folder',
          })
          .option('foreground', {
            type: 'boolean',
            default: false,
            describe: 'stay in this process until it is unmounted',
          })
          .option('read-only', {
            type: 'boolean',
            default: false,
            describe: 'nothing can be changed through the drive',
          })
          .option('allow-other', {
            type: 'boolean',
            default: false,
            describe: 'other users may use the drive too',
          })
          .option('driver', {
            type: 'string',
            requiresArg: true,
            default: DEFAULT_DRIVER,
            describe: `how the drive is served: ${DRIVERS.join(', ')}`,
          })
          .option('idle', {
            type: 'string',
            requiresArg: true,
            describe: 'unmount after so long without use: 90s, 15m, 2h',
          })
          .option('slow-limit', {
            type: 'string',
            requiresArg: true,
            default: '5m',
            describe: 'how long a program waits for an online-only file',
          })
          .option('lock-on', {
            type: 'string',
            requiresArg: true,
            describe: 'lock it at suspend, screen (lock), logout: words with commas between',
          })
          .option('grace', {
            type: 'string',
            requiresArg: true,
            default: '60s',
            describe: 'how long programs have to close their files at screen and logout',
          })
          .option('keep-mountpoint', {
            type: 'boolean',
            default: false,
            describe: 'leave the folder under the drive writable',
          })
          .option('log-names', {
            type: 'boolean',
            default: false,
            describe: 'the log may name plain files',
          })
          .option('config', {
            type: 'string',
            requiresArg: true,
            describe: 'use this copy of the config',
          })
          .option('self-test', {
            choices: ['quick', 'full', 'off'] as const,
            requiresArg: true,
            default: 'quick' as const,
            describe: 'what is written and read back before the drive is there',
          }),
      (args) => {
        choose(async () => (await import('./mount.js')).mount(args))
      },
    )
    .command(
      ['unmount [target]', 'lock [target]'],
      'store everything, take the drive away, forget the key',
      (y) =>
        y
          .positional('target', { type: 'string', describe: 'the mountpoint or the vault' })
          .option('all', { type: 'boolean', default: false, describe: 'every drive of this user' })
          .option('force', {
            type: 'boolean',
            default: false,
            describe: 'also while programs use it',
          })
          .option('wait', {
            type: 'string',
            requiresArg: true,
            describe: 'how long to wait for programs that use it: 0, 30s, 5m',
          }),
      (args) => {
        choose(async () => (await import('./unmount.js')).unmount(args))
      },
    )
    .command('status', 'say which drives are mounted', jsonOption, (args) => {
      choose(async () => (await import('./status.js')).status(args))
    })
    .command(
      'ls <vault> [path]',
      'list a folder of a vault without mounting it',
      (y) =>
        jsonOption(passwordOptions(vaultArgument(y)))
          .positional('path', { type: 'string', default: '/', describe: 'a path in the vault' })
          .option('long', {
            alias: 'l',
            type: 'boolean',
            default: false,
            describe: 'with mode, size and time',
          }),
      (args) => {
        choose(async () => (await import('./ls.js')).ls(args))
      },
    )
    .command(
      'get <vault> <path> <dest>',
      'copy a file or a whole folder out of a vault without mounting it',
      (y) =>
        jsonOption(passwordOptions(vaultArgument(y)))
          .positional('path', {
            type: 'string',
            demandOption: true,
            describe: 'a path in the vault, / for all',
          })
          .positional('dest', {
            type: 'string',
            demandOption: true,
            describe: 'a name that does not exist yet',
          }),
      (args) => {
        choose(async () => (await import('./get.js')).get(args))
      },
    )
    .command(
      'conflicts [target]',
      'list the versions that a sync client has put beside files',
      (y) =>
        jsonOption(passwordOptions(y)).positional('target', {
          type: 'string',
          describe: 'a mountpoint or a vault; all drives of this user if not given',
        }),
      (args) => {
        choose(async () => (await import('./conflicts.js')).conflicts(args))
      },
    )
    .command(
      'passwd <vault>',
      'change the password',
      (y) =>
        passwordOptions(vaultArgument(y))
          .option('new-passfile', {
            type: 'string',
            requiresArg: true,
            describe: 'read the new password from this file',
          })
          .option('new-passcommand', {
            type: 'string',
            requiresArg: true,
            describe: 'read it from what this command prints',
          })
          .option('scrypt-logn', {
            type: 'number',
            requiresArg: true,
            default: 17,
            describe: 'cost of a password guess',
          })
          .conflicts('new-passfile', 'new-passcommand'),
      (args) => {
        choose(async () => (await import('./passwd.js')).passwd(args))
      },
    )
    .command(
      'info <vault>',
      'say what can be said without a password',
      (y) => jsonOption(vaultArgument(y)),
      (args) => {
        choose(async () => (await import('./info.js')).info(args))
      },
    )
    .command(
      'device',
      'say what this machine is called, or name it',
      (y) =>
        jsonOption(y).option('name', {
          type: 'string',
          requiresArg: true,
          describe: 'the name that other devices see',
        }),
      (args) => {
        choose(async () => (await import('./device.js')).device(args))
      },
    )
    .command(
      'devices <vault>',
      'list the devices that have opened a vault for writing',
      (y) => jsonOption(passwordOptions(vaultArgument(y))),
      (args) => {
        choose(async () => (await import('./devices.js')).devices(args))
      },
    )
    .command(
      'restore-config <vault>',
      "put this machine's copy of a damaged config back",
      (y) =>
        passwordOptions(vaultArgument(y)).option('from', {
          type: 'string',
          requiresArg: true,
          describe: 'this file instead of the newest copy',
        }),
      (args) => {
        choose(async () => (await import('./restore-config.js')).restoreConfig(args))
      },
    )
    .command(
      'doctor [folder]',
      'say what works on this machine, and what to do about the rest',
      (y) =>
        jsonOption(
          y.positional('folder', {
            type: 'string',
            describe: 'also look at the file system of this folder',
          }),
        ),
      (args) => {
        choose(async () => (await import('./doctor.js')).doctor(args))
      },
    )
    .command(
      'speed [folder]',
      'try how fast encryption and a drive are on this machine',
      (y) =>
        jsonOption(
          y.positional('folder', {
            type: 'string',
            describe: 'where the trial drive keeps its files; the state folder if not given',
          }),
        ),
      (args) => {
        choose(async () => (await import('./speed.js')).speed(args))
      },
    )
    .example('$0 create ~/Cloud/vault', 'make a vault')
    .example('$0 mount ~/Cloud/vault ~/Private', 'open it')
    .example('$0 unmount ~/Private', 'lock it')
    .example('$0 get ~/Cloud/vault / ~/everything', 'copy all files out')
    .check(checkNoneEmpty)
    .demandCommand(1, 'a command is missing')
    .strict()
    .version(version)
    .help()
    .alias('help', 'h')
    .wrap(Math.min(100, process.stdout.columns || 100))
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message: string | null, error: Error | undefined) => {
      throw error instanceof CofferError
        ? error
        : new CofferError('USAGE', sentence(message ?? error?.message ?? 'bad usage'))
    })
}

/** An unset variable in a script would name this very folder. */
function checkNoneEmpty(args: Record<string, unknown>): true {
  for (const name of PATHS) {
    if (args[name] === '') throw new CofferError('USAGE', `the ${name} is an empty text`)
  }
  return true
}
const PATHS = [
  ...['vault', 'mountpoint', 'target', 'path', 'dest', 'folder'],
  ...['passfile', 'new-passfile', 'config', 'from'],
]

/** After "--" there are no options. All that is no option is a path, so "./" says the same. */
function withoutDashes(argv: readonly string[]): string[] {
  const at = argv.indexOf('--')
  if (at < 0) return [...argv]
  const rest = argv.slice(at + 1).map((path) => (path.startsWith('-') ? `./${path}` : path))
  return [...argv.slice(0, at), ...rest]
}

/** What yargs says, in our words. */
const SENTENCES: [RegExp, string][] = [
  [/^Not enough non-option arguments.*/, 'an argument is missing'],
  [/^Unknown arguments?: (.*)/, 'there is no such command, option or argument: $1'],
  [/^Arguments (\S+) and (\S+) are mutually exclusive/, '--$1 and --$2 exclude each other'],
  [/^Invalid values: Argument: (\S+), Given: "?(.*?)"?, Choices: .*/, '--$1 cannot be $2'],
  [/^Not enough arguments following: (.*)/, '--$1 needs a value'],
]

function sentence(message: string): string {
  const line = message.replace(/\s*\n\s*/g, ' ').trim()
  const known = SENTENCES.find(([pattern]) => pattern.test(line))
  return known === undefined ? line : line.replace(...known)
}

export async function main(argv: readonly string[]): Promise<number> {
  const chosen: Run[] = []
  try {
    fixFolders()
    let output = ''
    const words = withoutDashes(argv)
    await parser(words, (run) => {
      chosen.push(run)
    }).parseAsync(words, {}, (_error, _args, text) => {
      output = text
    })
    if (output !== '') out(output)
    return (await chosen[0]?.()) ?? 0
  } catch (error) {
    return fail(error)
  }
}
