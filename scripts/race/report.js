// The figures as a page: a table of medians with their spread, and what coffer has set itself.

import { FIGURES, judge, spread } from './figures.js'

/** Three digits that count. */
export function digits(number) {
  if (number === 0) return '0'
  if (Math.abs(number) >= 100) return number.toFixed(0)
  return number
    .toPrecision(3)
    .replace(/^(-?\d+\.\d*?)0+$/, '$1')
    .replace(/\.$/, '')
}

const row = (cells) => `| ${cells.join(' | ')} |`

function cell(results, figure, contender) {
  const found = spread(results, figure, contender)
  if (found !== null) {
    const { median, least, most } = found
    return least === most ? digits(median) : `${digits(median)} (${digits(least)}–${digits(most)})`
  }
  return results[figure.workload]?.failed[contender] === undefined ? '–' : '✗'
}

/** Of every workload that has been run, all contenders. */
export function table(results) {
  const run = FIGURES.filter(({ workload }) => results[workload] !== undefined)
  const contenders = [
    ...new Set(run.flatMap(({ workload }) => Object.keys(results[workload].names))),
  ]
  const nameOf = (contender) =>
    run.map(({ workload }) => results[workload].names[contender]).find((name) => name !== undefined)
  const lines = [
    row(['', '', ...contenders.map(nameOf)]),
    row(['---', '---', ...contenders.map(() => '---')]),
    ...run.map((figure) => {
      const { title, unit } = figure
      return row([title, unit, ...contenders.map((contender) => cell(results, figure, contender))])
    }),
  ]
  return lines.join('\n')
}

/** Every target, whether it holds or not. */
export function targets(results) {
  const lines = [
    row(['', 'against', 'target', 'reached', '']),
    row(['---', '---', '---', '---', '---']),
  ]
  for (const figure of FIGURES) {
    for (const { against, wanted, reached, holds } of judge(results, figure)) {
      const [asked, got] =
        against === 'limit'
          ? [`≤ ${digits(wanted)} ${figure.unit}`, `${digits(reached)} ${figure.unit}`]
          : [`× ${digits(wanted)}`, `× ${digits(reached)}`]
      lines.push(row([figure.title, against, asked, got, holds ? 'yes' : '**no**']))
    }
  }
  return lines.join('\n')
}

/** When and where each workload was run, and what could not be done. */
export function circumstances(results) {
  return Object.entries(results)
    .map(([workload, { machine, rounds, failed }]) => {
      const counted = Math.max(0, ...Object.values(rounds).map((of) => of.length))
      const where = `${machine.cores} × ${machine.cpu}, ${machine.memory}, Linux ${machine.kernel}, ${machine.fileSystem}`
      const without = Object.entries(failed).map(([contender, why]) => `; ${contender}: ${why}`)
      return `* \`${workload}\`: ${machine.date}, ${counted} rounds, ${where}${without.join('')}.`
    })
    .join('\n')
}
