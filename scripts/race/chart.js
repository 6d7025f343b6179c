// A picture of the race: for each figure a bar for every contender, as a multiple of the best peer.

import { FIGURES, spread } from './figures.js'

const SHOWN = ['coffer24', 'gocryptfs', 'securefs', 'encfs', 'cryfs', 'rclone']
const COLOURS = ['#0b6e4f', '#8d99ae', '#a5b1c2', '#bdc6d1', '#d0d6dd', '#e2e6ea']
const [LEFT, WIDTH, BAR, GAP] = [280, 560, 9, 14]
const TEXT = 'font-family="system-ui, sans-serif" font-size="12"'

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('`', '')

/** An SVG, as text. */
export function chart(results) {
  const figures = FIGURES.filter(
    ({ target, unit }) => target.peer !== undefined && unit !== 'MiB',
  ).filter((figure) => spread(results, figure, 'coffer24') !== null)
  const parts = []
  let y = 40
  for (const [i, contender] of SHOWN.entries()) {
    const name = Object.values(results).find(({ names }) => names[contender])?.names[contender]
    if (name === undefined) continue
    const x = 20 + i * 140
    parts.push(`<rect x="${x}" y="10" width="12" height="12" fill="${COLOURS[i]}"/>`)
    parts.push(`<text x="${x + 17}" y="21" ${TEXT} fill="#222">${escape(name)}</text>`)
  }
  for (const figure of figures) {
    const speed = (contender) => {
      const found = spread(results, figure, contender)
      return found === null ? 0 : figure.better === 'high' ? found.median : 1 / found.median
    }
    const best = Math.max(...SHOWN.slice(1).map(speed))
    const most = Math.max(best, speed('coffer24'))
    parts.push(
      `<text x="${LEFT - 10}" y="${y + 12}" text-anchor="end" ${TEXT} fill="#222">${escape(figure.title)}</text>`,
    )
    for (const [i, contender] of SHOWN.entries()) {
      const value = speed(contender)
      if (value === 0) continue
      const width = Math.max(1, (WIDTH * value) / most).toFixed(1)
      parts.push(
        `<rect x="${LEFT}" y="${y}" width="${width}" height="${BAR}" fill="${COLOURS[i]}"/>`,
      )
      if (i === 0)
        parts.push(
          `<text x="${LEFT + Number(width) + 6}" y="${y + 9}" ${TEXT} fill="#0b6e4f">× ${(value / best).toFixed(2)}</text>`,
        )
      y += BAR + 1
    }
    y += GAP
  }
  const size = `width="${LEFT + WIDTH + 80}" height="${y}"`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><rect width="100%" height="100%" fill="#fff"/>\n${parts.join('\n')}\n</svg>\n`
}
