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

let now = NOW
Date.now = () => now

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

/** The application of a case. What the handler does, and where it writes down what it sees, is in `visit`. */
function appOf(input, store, visit) {
  let count = 0
  const options = revive(input.options || {})
  const { cookie } = options
  if (options.cookie_is_function) options.cookie = () => cookie
  delete options.cookie_is_function
  // `null` leaves the id to Express.
  if (input.genid !== null) options.genid = () => (input.genid === undefined ? generated(++count) : input.genid)
  const app = express()
  if (input.trusts_proxy) app.set('trust proxy', true)
  app.use(session({ secret: 'keyboard cat', resave: false, saveUninitialized: false, ...options, store }))
  app.use(async (req, res) => {
    const { actions, outcome } = visit
    if (req.session === undefined) outcome.has_session = false
    else if (input.series) outcome.seen = JSON.parse(JSON.stringify({ ...req.session, cookie: undefined }))
    for (const action of req.session === undefined ? [] : actions || []) {
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
    visit.outcome.failed = error.message
    // With some errors, so does the end of the response.
    try { if (!res.headersSent) { res.statusCode = 500; res.end() } } catch { res.socket.destroy() }
  })
  return app
}

/** Makes one request and notes the cookies of its response. */
async function visitOnce(input, cookies, outcome) {
  const lines = [`GET ${input.url || '/'} HTTP/1.1`, 'Host: localhost']
  for (const line of cookies) lines.push(`Cookie: ${line}`)
  for (const [name, value] of input.headers || []) lines.push(`${name}: ${value}`)
  const answer = await request(await listening, lines)
  // Errors are handed on after the response.
  await new Promise(resolve => setImmediate(() => setImmediate(resolve)))
  const head = answer.split('\r\n\r\n')[0].split('\r\n')
  const set = head.filter(line => /^set-cookie: /i.test(line)).map(line => line.slice('set-cookie: '.length))
  if (set.length > 0) outcome.set_cookie = set
}

async function run(input) {
  if (input.sign) return { signed: signature.sign(...input.sign) }
  if (input.unsign) return { unsigned: signature.unsign(...input.unsign) }
  now = NOW
  const calls = []
  const store = new SpiedStore(calls)
  if (input.stored != null) store.sessions[input.id || SEED] = input.stored
  const visit = { actions: input.actions, outcome: { calls } }
  current = appOf(input, store, visit)
  if (input.series) return runSeries(input, store, visit, calls)
  await visitOnce(input, input.cookies || [], visit.outcome)
  return { ...visit.outcome, stored: { ...store.sessions } }
}

/** One browser's requests, one after the other; it keeps its cookie until that has ended. */
async function runSeries(input, store, visit, calls) {
  const visits = []
  let cookie = null
  let ends = null
  for (const { after, actions } of input.series) {
    now += after
    if (ends !== null && ends <= now) cookie = null
    Object.assign(visit, { actions, outcome: {} })
    await visitOnce(input, cookie === null ? [] : [cookie], visit.outcome)
    for (const line of visit.outcome.set_cookie || []) {
      cookie = line.split(';')[0]
      ends = /; Expires=/.test(line) ? Date.parse(line.split('; Expires=')[1].split(';')[0]) : null
    }
    visits.push(visit.outcome)
  }
  const sessions = await new Promise(resolve => store.all((_, sessions) => resolve(sessions)))
  const stored = Object.fromEntries(Object.entries(sessions).map(([id, session]) => [id, { ...session, cookie: undefined }]))
  return { calls, visits, stored }
}

async function runAll(inputs) {
  const outcomes = []
  for (const input of inputs) outcomes.push(await run(input))
  return outcomes
}

module.exports = { runAll, target, generated, NOW, SEED }
