'use strict'
// Listens on 127.0.0.1 at the port of the first argument. It answers a POST of {"inputs": [CASE...]}, {"list": NAME} or
// {"random": {"seed": N, "count": N}} or {"series": {"seed": N, "count": N}} with a list of pairs: each case, and what came of it.

const http = require('http')
const { runAll } = require('./run')
const { lists, grid, some, series } = require('./cases')

function inputsOf(wish) {
  if (wish.random) return [...some(wish.random.seed, wish.random.count)]
  if (wish.series) return [...series(wish.series.seed, wish.series.count)]
  if (wish.list === 'grid') return [...grid()]
  return wish.list ? [...lists[wish.list]()] : wish.inputs
}

let last = Promise.resolve()

http.createServer((req, res) => {
  let body = ''
  req.setEncoding('utf8')
  req.on('data', chunk => { body += chunk })
  req.on('end', () => {
    // One list after the other: a case has the clock and the port to itself.
    last = last.then(async () => {
      try {
        // The same way as the cases themselves go when they are sent.
        const inputs = JSON.parse(JSON.stringify(inputsOf(JSON.parse(body || '{"inputs":[]}'))))
        const outcomes = await runAll(inputs)
        res.end(JSON.stringify(inputs.map((input, number) => [input, outcomes[number]])))
      } catch (error) {
        res.statusCode = 500
        res.end(String(error.stack))
      }
    })
  })
}).listen(Number(process.argv[2]), '127.0.0.1')
