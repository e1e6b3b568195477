'use strict'
// Writes ../recorded/more.json: most of the listed cases, some of the grid and some random ones, with what comes of them. What
// occurs often is written as one character of Unicode's private use.

const fs = require('fs')
const path = require('path')
const { runAll, target, generated, SEED } = require('./run')
const { lists, grid, some, series } = require('./cases')

/** The share of a list that is recorded: every so-manieth. */
const EVERY = { kept: 5, ownCookies: 7, signatures: 2, ends: 7, returns: 7 }

const every = (list, step) => [...list].filter((_, number) => number % step === 0)

async function main() {
  const names = Object.keys(lists)
  const inputs = names.flatMap(name => every(lists[name](), EVERY[name] || 1)).concat(every(grid(), 31), [...some(1, 60)], [...series(1, 16)])
  const outcomes = await runAll(inputs)
  const often = ['connect.sid=s%3AtdQ1xhhj0TEcRG9sRZH-8Hm6S4mpNcH3.Oj5s9%2Fdf5ri%2F5DKBDuL607AesUv7BbKGHDvFDVq89Tk', SEED, generated(1), generated(2),
    generated(3), '{\\"cookie\\":{\\"originalMaxAge\\":60000,\\"expires\\":\\"2026-01-02T03:05:05.678Z\\",\\"httpOnly\\":true,\\"path\\":\\"/\\"}',
    '{\\"cookie\\":{\\"originalMaxAge\\":null,\\"expires\\":null,\\"httpOnly\\":true,\\"path\\":\\"/\\"}', '2026-01-02T03:05:05.678Z']
  const words = Object.fromEntries(often.map((word, number) => [String.fromCharCode(0xe000 + number), word]))
  const short = text => Object.entries(words).reduce((text, [character, word]) => text.split(word).join(character), text)
  const lines = inputs.map((input, number) => short(JSON.stringify([input, outcomes[number]])))
  const text = `{"produced_by":"express-session 1.19.0, Node ${process.versions.node}","words":${JSON.stringify(words)},"cases":[\n${lines.join(',\n')}\n]}\n`
  fs.writeFileSync(process.argv[2] || path.join(__dirname, '../recorded/more.json'), text)
  target.close()
}

main()
