'use strict'
// Runs cases against Express with express-session: one case is one HTTP request over a socket, against a MemoryStore whose calls are
// listed. The clock stands still. What a case and its outcome look like is in README.md.

const http = require('http')
const net = require('net')
const express = require('express')
const session = require('express-session')
const signature = require(require.resolve('cookie-signature', { paths: [require.resolve('express-session')] }))

const NOW = Date.parse('2026-01-02T03:04:05.678Z')
const SEED = 'tdQ1xhhj0TEcRG9sRZH-8Hm6S4mpNcH3'

Date.now = () => NOW

/** The id that Express is given for the session that a request begins as its `number`th. */
const generated = number => `GEN${number}`.padEnd(32, '-')

/** Values that JSON does not have: {"$date": ms}, {"$undefined": 1}, {"$number": "Infinity"}. */
function revive(value) {
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(revive)
  if ('$date' in value) return new Date(value.$date)
  if ('$undefined' in value) return undefined
  if ('$number' in value) return Number(value.$number)
  const object = {}
  for (const name of Object.keys(value)) object[name] = revive(value[name])
  return object
}

class SpiedStore extends session.MemoryStore {
  constructor(calls) {
    super()
    this.calls = calls
    for (const name of ['get', 'set', 'touch', 'destroy']) {
      const call = this[name]
      this[name] = (id, ...rest) => {
        calls.push(`${name} ${id}`)
        return call.call(this, id, ...rest)
      }
    }
  }
}

/** What a handler does, one step after the other; returns the message of the error that the step was told of. */
function act(req, [action, ...args]) {
  const told = call => new Promise(resolve => call(error => resolve(error ? error.message : null)))
  const { session } = req
  switch (action) {
    case 'set': session[args[0]] = JSON.parse(args[1]); return null
    case 'set_date': session[args[0]] = new Date(args[1]); return null
    case 'set_undefined': session[args[0]] = undefined; return null
    case 'delete': delete session[args[0]]; return null
    case 'clear': for (const name of Object.keys(session)) if (name !== 'cookie') delete session[name]; return null
    case 'save': return told(done => session.save(done))
    case 'reload': return told(done => session.reload(done))
    case 'regenerate': return told(done => session.regenerate(done))
    case 'destroy': return told(done => session.destroy(done))
    case 'null': req.session = null; return null
    case 'remove': delete req.session; return null
    case 'touch': session.touch(); return null
    case 'cookie': Object.assign(session.cookie, revive(args[0])); return null
    default: throw new Error(`there is no action ${action}`)
  }
}

/** Sends one request as it is, in Latin-1, and reads the answer to its end. */
function request(port, lines) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1')
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', chunk => { text += chunk })
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
    socket.write(lines.concat('Connection: close', '', '').join('\r\n'), 'latin1')
  })
}

let current = null
const target = http.createServer({ maxHeaderSize: 65536 }, (req, res) => current(req, res))
const listening = new Promise(resolve => target.listen(0, '127.0.0.1', () => resolve(target.address().port)))

async function run(input) {
  if (input.sign) return { signed: signature.sign(...input.sign) }
  if (input.unsign) return { unsigned: signature.unsign(...input.unsign) }
  const calls = []
  const outcome = { calls }
  const store = new SpiedStore(calls)
  if (input.stored != null) store.sessions[input.id || SEED] = input.stored
  let count = 0
  const options = revive(input.options || {})
  const { cookie } = options
  if (options.cookie_is_function) options.cookie = () => cookie
  delete options.cookie_is_function
  const app = express()
  if (input.trusts_proxy) app.set('trust proxy', true)
  // `null` leaves the id to Express.
  if (input.genid !== null) options.genid = () => (input.genid === undefined ? generated(++count) : input.genid)
  app.use(session({ secret: 'keyboard cat', resave: false, saveUninitialized: false, ...options, store }))
  app.use(async (req, res) => {
    if (req.session === undefined) outcome.has_session = false
    for (const action of req.session === undefined ? [] : input.actions || []) {
      const error = await act(req, action)
      if (error) outcome.told = [...outcome.told || [], `${action[0]}: ${error}`]
    }
    for (const line of input.other_cookies || []) res.append('Set-Cookie', line)
    try { res.end('done') } catch (error) {
      outcome.failed = error.message
      res.socket.destroy()
    }
  })
  // What Express is told once the response has begun, and what ends a request.
  app.use((error, req, res, next) => {
    outcome.failed = error.message
    // With some errors, so does the end of the response.
    try { if (!res.headersSent) { res.statusCode = 500; res.end() } } catch { res.socket.destroy() }
  })
  current = app
  const lines = [`GET ${input.url || '/'} HTTP/1.1`, 'Host: localhost']
  for (const line of input.cookies || []) lines.push(`Cookie: ${line}`)
  for (const [name, value] of input.headers || []) lines.push(`${name}: ${value}`)
  const answer = await request(await listening, lines)
  // Errors are handed on after the response.
  await new Promise(resolve => setImmediate(() => setImmediate(resolve)))
  const head = answer.split('\r\n\r\n')[0].split('\r\n')
  const lines_set = head.filter(line => /^set-cookie: /i.test(line)).map(line => line.slice('set-cookie: '.length))
  if (lines_set.length > 0) outcome.set_cookie = lines_set
  outcome.stored = { ...store.sessions }
  return outcome
}

async function runAll(inputs) {
  const outcomes = []
  for (const input of inputs) outcomes.push(await run(input))
  return outcomes
}

module.exports = { runAll, target, generated, NOW, SEED }
